#include "sampling_bounds.h"

#include <algorithm>

// More tokens than any context has.
static constexpr int32_t LAST_TOKENS_MAX = 1 << 22;

namespace server_schema {

task_params eval_llama_cmpl_schema_bounded(const llama_vocab * vocab, const common_params & params_base, const std::vector<llama_logit_bias> & logit_bias_eog,
                                           const json & data) {
    task_params params   = eval_llama_cmpl_schema(vocab, params_base, logit_bias_eog, data);
    auto &      sampling = params.sampling;
    sampling.penalty_last_n     = std::min(sampling.penalty_last_n, LAST_TOKENS_MAX);
    sampling.dry_penalty_last_n = std::min(sampling.dry_penalty_last_n, LAST_TOKENS_MAX);
    sampling.n_probs            = std::clamp(sampling.n_probs, 0, llama_vocab_n_tokens(vocab));
    return params;
}

} // namespace server_schema
