// In place of upstream's wait for the results of one request: where it has several choices, the usage
// is that of all of them. Upstream's is that of the first.

#include "server-queue.h"

static bool is_openai(task_response_type type) {
    return type == TASK_RESPONSE_TYPE_OAI_CMPL || type == TASK_RESPONSE_TYPE_OAI_CHAT;
}

// The results are in the order of prompts, and of a prompt's choices within.
static void usage_sum(const std::vector<server_task_result_ptr> & results) {
    auto * first = results.empty() ? nullptr : dynamic_cast<server_task_result_cmpl_final *>(results[0].get());
    if (!first || results.size() < 2 || !is_openai(first->res_type)) {
        return;
    }
    const size_t choices = std::max(1, first->generation_params.n_cmpl);
    for (size_t i = 1; i < results.size(); i++) {
        const auto & one = dynamic_cast<const server_task_result_cmpl_final &>(*results[i]);
        first->n_decoded += one.n_decoded;
        if (i % choices == 0) {
            first->n_prompt_tokens += one.n_prompt_tokens;
            first->n_prompt_tokens_cache += one.n_prompt_tokens_cache;
        }
    }
}

server_response_reader::batch_response server_response_reader::wait_for_all(const std::function<bool()> & should_stop) {
    batch_response batch;
    batch.results.resize(id_tasks.size());
    while (has_next()) {
        server_task_result_ptr one = next(should_stop);
        if (!one) {
            batch.is_terminated = true;
            return batch;
        }
        if (one->is_error()) {
            batch.error = std::move(one);
            return batch;
        }
        const size_t index      = one->index;
        batch.results.at(index) = std::move(one);
    }
    usage_sum(batch.results);
    return batch;
}
