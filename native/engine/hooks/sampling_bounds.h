// What a request may ask of the samplers, which take memory for it at once.
#pragma once

#include "server-schema.h"

namespace server_schema {

// In place of upstream's where its server reads a request.
task_params eval_llama_cmpl_schema_bounded(const llama_vocab * vocab, const common_params & params_base, const std::vector<llama_logit_bias> & logit_bias_eog,
                                           const json & data);

} // namespace server_schema
