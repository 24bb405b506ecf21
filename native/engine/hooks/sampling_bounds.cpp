#include "sampling_bounds.h"

#include <algorithm>
#include <stdexcept>

// More tokens than any context has.
static constexpr int32_t LAST_TOKENS_MAX = 1 << 22;

// Each is looked for in all tokens.
static constexpr size_t BREAKERS_MAX      = 64;
static constexpr size_t BREAKER_MAX_BYTES = 64;

namespace server_schema {

task_params eval_llama_cmpl_schema_bounded(const llama_vocab * vocab, const common_params & params_base, const std::vector<llama_logit_bias> & logit_bias_eog,
                                           const json & data) {
    task_params params   = eval_llama_cmpl_schema(vocab, params_base, logit_bias_eog, data);
    auto &      sampling = params.sampling;
    sampling.penalty_last_n     = std::min(sampling.penalty_last_n, LAST_TOKENS_MAX);
    sampling.dry_penalty_last_n = std::min(sampling.dry_penalty_last_n, LAST_TOKENS_MAX);
    sampling.n_probs            = std::clamp(sampling.n_probs, 0, llama_vocab_n_tokens(vocab));
    // An empty one would end each answer before its first letter.
    auto & stops = params.antiprompt;
    stops.erase(std::remove(stops.begin(), stops.end(), ""), stops.end());
    const auto & breakers = sampling.dry_sequence_breakers;
    if (breakers.size() > BREAKERS_MAX || std::any_of(breakers.begin(), breakers.end(), [](const std::string & one) { return one.size() > BREAKER_MAX_BYTES; })) {
        throw std::invalid_argument("dry_sequence_breakers: at most " + std::to_string(BREAKERS_MAX) + " texts of " + std::to_string(BREAKER_MAX_BYTES) + " bytes");
    }
    return params;
}

} // namespace server_schema
