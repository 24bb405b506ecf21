// What this engine would do, told as one JSON object on stdout to programs that ask before they start it:
// the prompt of a conversation (--probe-template), the memory of a start (--probe-memory).
#include "modes.h"

#include "json_bounds.h"
#include "model.h"
#include "user_error.h"

#include "../common/chat.h" // upstream's: its headers say "chat.h", which is ours
#include "common.h"
#include "fit.h"
#include "server-common.h"
#include "speculative.h"
#include "../src/llama-ext.h" // beside upstream's common/

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

static constexpr size_t REQUEST_SIZE = 128 << 20; // bytes
static constexpr size_t ANSWER_SIZE  = 16 << 20;  // likewise, of prompts, beside twice the request

// Tokens. Upstream keeps 50 bytes for each, even where it allocates nothing: more are reckoned.
static constexpr uint32_t CONTEXT_MAX = 1 << 20;

static constexpr auto SECONDS = std::chrono::seconds(8);

// Ends the program in good time: template_budget.h looks at the clock only when memory is asked for.
static void clock_start() {
    std::thread([]() {
        std::this_thread::sleep_for(SECONDS);
        fprintf(stderr, "ERROR the chat template that was given takes more than 8 seconds to fill in\n");
        fflush(stderr);
        std::_Exit(1);
    }).detach();
}

static common_params params_of(const options & opts, llama_example example) {
    std::vector<std::string> words = options_argv(opts, example);
    words.insert(words.end(), { "--verbosity", "1" }); // errors alone
    std::vector<char *> argv;
    for (auto & one : words) {
        argv.push_back(&one[0]);
    }
    common_params params = params_default();
    common_init();
    if (!common_params_parse((int) argv.size(), argv.data(), params, example)) {
        exit(1);
    }
    return params;
}

static void answer_print(const json & answer) {
    printf("%s\n", answer.dump_safe().c_str());
}

struct probe_request {
    std::string       text;
    std::string       bos;
    std::string       eos;
    std::vector<json> bodies; // of /v1/chat/completions
    size_t            size;   // bytes of the whole request
};

static probe_request request_read() {
    std::string text;
    char        piece[65536];
    while (const size_t size = fread(piece, 1, sizeof(piece), stdin)) {
        text.append(piece, size);
        if (text.size() > REQUEST_SIZE) {
            throw user_error("--probe-template: more than 128 MB on stdin", "send less");
        }
    }
    const json_bounds bounds(text);
    if (!bounds.refusal.empty()) {
        throw user_error("--probe-template: " + bounds.refusal, "send less");
    }
    try {
        const json    sent = json::parse(text);
        probe_request request{ sent.value("template", ""), sent.value("bos_token", ""), sent.value("eos_token", ""), {}, text.size() };
        for (size_t i = 0; i < sent.at("requests").size(); i++) {
            request.bodies.push_back(sent.at("requests").at(i));
        }
        return request;
    } catch (const std::exception & error) {
        throw user_error(std::string("--probe-template: ") + error.what(), "send {\"template\": TEXT, \"requests\": [BODY, ...]} on stdin");
    }
}

// What /apply-template answers, with the name of the format that the answer would be read in.
static json prompt_of(json body, const server_chat_params & chat) {
    std::vector<raw_buffer> files;
    common_chat_session     session;
    try {
        const json found = oaicompat_chat_params_parse(nullptr, body, chat, files, session);
        return {
            { "prompt", found.at("prompt") },
            { "format", common_chat_format_name(session.format()) },
        };
    } catch (const std::exception & error) {
        return { { "error", error.what() } };
    }
}

// Request: {"template", "bos_token", "eos_token", "requests": [bodies of /v1/chat/completions]}.
// Answer: {"capabilities", "thinking", "results": [{"prompt", "format"} or {"error"}]}, or {"error"} for a
// template that cannot be read. One that costs too much ends the program, see template_budget.h.
int mode_probe_template(const options & opts) {
    const common_params params = params_of(opts, LLAMA_EXAMPLE_SERVER);
    const probe_request asked  = request_read();
    clock_start();
    server_chat_params  chat   = {};
    bool                thinking;
    try {
        const common_chat_template once(asked.text, asked.bos, asked.eos); // the next function hides what is wrong
        chat.tmpls = common_chat_templates_init(nullptr, asked.text.empty() ? "chatml" : asked.text, asked.bos, asked.eos);
        thinking   = common_chat_templates_support_enable_thinking(chat.tmpls.get());
    } catch (const std::exception & error) { // with which the server would not start
        answer_print({ { "error", error.what() } });
        return 0;
    }
    chat.use_jinja            = true;
    chat.prefill_assistant    = params.prefill_assistant;
    chat.reasoning_format     = params.reasoning_format;
    chat.chat_template_kwargs = params.default_template_kwargs;
    chat.enable_thinking      = params.enable_reasoning != 0 && thinking;
    chat.force_pure_content   = params.force_pure_content_parser;

    json   results = json::array();
    size_t room    = ANSWER_SIZE + 2 * asked.size;
    for (const json & body : asked.bodies) {
        json         result = prompt_of(body, chat);
        const size_t size   = result.value("prompt", "").size();
        if (size > room) {
            result = { { "error", "the prompt is far longer than what was asked" } };
        } else {
            room -= size;
        }
        results.push_back(result);
    }
    answer_print({
        { "capabilities", common_chat_templates_get_caps(chat.tmpls.get()) },
        { "thinking", thinking },
        { "results", results },
    });
    return 0;
}

// As upstream's llama_server() and server_context settle them before they load.
static void server_defaults(common_params & params) {
    if (params.embedding && params.n_batch > params.n_ubatch) {
        params.n_batch = params.n_ubatch;
    }
    if (params.n_parallel < 0) {
        params.n_parallel = 4;
        params.kv_unified = true;
    }
    if (params.kv_unified_per_slot > 0 && params.n_ctx == 0 && (uint32_t) params.fit_params_min_ctx != UINT32_MAX) {
        params.n_ctx = params.n_parallel * params.kv_unified_per_slot;
    }
    const bool pools = params.pooling_type != LLAMA_POOLING_TYPE_UNSPECIFIED && params.pooling_type != LLAMA_POOLING_TYPE_NONE;
    if (!params.embedding && !pools) {
        const auto limits = common_speculative_get_output_limits(params.n_batch, params.n_parallel, common_speculative_n_max(&params.speculative));
        params.n_outputs_max         = std::max<int32_t>(1, limits.total);
        params.n_outputs_max_per_seq = std::max<int32_t>(1, limits.per_seq);
    } else {
        params.n_outputs_max         = params.n_batch;
        params.n_outputs_max_per_seq = 1;
    }
}

static bool is_card(ggml_backend_dev_t device) {
    const auto type = ggml_backend_dev_type(device);
    return type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
}

static json memory_json(const llama_memory_breakdown_data & use) {
    return { { "weights", use.model }, { "cache", use.context }, { "compute", use.compute } };
}

// In bytes.
struct memory_use {
    llama_memory_breakdown_data                               host;
    std::map<ggml_backend_dev_t, llama_memory_breakdown_data> cards;
};

static void memory_add(llama_memory_breakdown_data & sum, const llama_memory_breakdown_data & use) {
    sum.model += use.model;
    sum.context += use.context;
    sum.compute += use.compute;
}

// By upstream's own allocators. Throws user_error.
static memory_use memory_measured(llama_model * model, const llama_context_params & cparams) {
    const std::unique_ptr<llama_context, void (*)(llama_context *)> context(llama_init_from_model(model, cparams), llama_free);
    if (!context) {
        throw user_error("no context can be made for this model", "change -c, or the types of its cache");
    }
    memory_use found;
    for (const auto & [type, use] : llama_get_memory_breakdown(context.get())) {
        // Upstream's own sums leave out what the processor repacks, which is neither a host buffer nor a card's.
        const ggml_backend_dev_t device  = ggml_backend_buft_get_device(type);
        const bool               on_card = device && is_card(device) && !ggml_backend_buft_is_host(type);
        memory_add(on_card ? found.cards[device] : found.host, use);
    }
    return found;
}

// The same for `context` tokens where `measured` is for CONTEXT_MAX, and `half` for half of that.
static llama_memory_breakdown_data extrapolated(llama_memory_breakdown_data measured, const llama_memory_breakdown_data & half, uint32_t context) {
    const double times = (double) (context - CONTEXT_MAX) / (CONTEXT_MAX / 2);
    measured.context += (size_t) (times * (double) (measured.context - half.context));
    measured.compute += (size_t) (times * (double) (measured.compute - half.compute));
    return measured;
}

// Why upstream did not load a model, which it tells only its log.
static std::string & load_error() {
    static std::string cause;
    return cause;
}

static void load_error_keep(ggml_log_level, const char * text, void *) {
    const char * mark = "error loading model: ";
    if (const char * found = strstr(text, mark)) {
        load_error() = ": " + std::string(found + strlen(mark));
    }
}

struct start_use {
    memory_use memory;
    uint32_t   context; // tokens
    uint32_t   trained; // likewise
    int32_t    layers;  // with one for what follows the last
};

// What one model takes; its weights are not read. Throws user_error.
static start_use use_of(const std::string & path, llama_model_params mparams, llama_context_params cparams) {
    mparams.no_alloc  = true;
    mparams.load_mode = LLAMA_LOAD_MODE_NONE;
    llama_log_set(load_error_keep, nullptr);
    const std::unique_ptr<llama_model, void (*)(llama_model *)> model(llama_model_load_from_file(path.c_str(), mparams), llama_model_free);
    llama_log_set(common_log_default_callback, nullptr);
    if (!model) {
        throw user_error(path + ": the model cannot be read" + load_error(), "check the file with `llamapack inspect`");
    }
    start_use found;
    found.layers  = llama_model_n_layer(model.get()) + 1;
    found.trained = llama_model_n_ctx_train(model.get());
    found.context = cparams.n_ctx > 0 ? cparams.n_ctx : found.trained;
    cparams.n_ctx = std::min(found.context, CONTEXT_MAX);
    found.memory  = memory_measured(model.get(), cparams);
    if (found.context > CONTEXT_MAX) {
        cparams.n_ctx         = CONTEXT_MAX / 2;
        const memory_use half = memory_measured(model.get(), cparams);
        found.memory.host     = extrapolated(found.memory.host, half.host, found.context);
        for (auto & [device, use] : found.memory.cards) {
            use = extrapolated(use, half.cards.at(device), found.context);
        }
    }
    return found;
}

static json devices_json(const memory_use & memory) {
    json devices = json::array();
    for (const auto & [device, use] : memory.cards) {
        size_t free = 0, total = 0;
        ggml_backend_dev_memory(device, &free, &total);
        json one    = memory_json(use);
        one["name"] = ggml_backend_dev_description(device);
        one["free"] = free;
        devices.push_back(one);
    }
    return devices;
}

// Answer: bytes by place, of the model and of its draft model together, and what the model was settled at.
int mode_probe_memory(const options & opts) {
    if (opts.recompile && !opts.no_compile) {
        throw user_error("--probe-memory: a GPU module is to be compiled first", "add --nocompile");
    }
    const bool    serves = opts.mode != run_mode::cli;
    common_params params = params_of(opts, serves ? LLAMA_EXAMPLE_SERVER : LLAMA_EXAMPLE_COMPLETION);
    if (serves) {
        server_defaults(params);
    }
    llama_backend_init();
    llama_model_params   mparams   = common_model_params_to_llama(params);
    llama_context_params cparams   = common_context_params_to_llama(params);
    const bool           has_draft = serves && params.speculative.has_dft();
    common_params        draft     = common_base_params_to_speculative(params);
    llama_model_params   draft_m   = common_model_params_to_llama(draft);
    llama_context_params draft_c   = common_context_params_to_llama(draft);
    draft_c.n_rs_seq               = 0;

    const uint32_t context = params.n_ctx > 0 ? params.n_ctx : model_header_read(params.model.path).context_trained;
    if (params.fit_params && context <= CONTEXT_MAX) { // as common_init_result() does it
        const common_fit_extra_model extra = { draft.model.path.c_str(), &draft_m, &draft_c, false };
        common_fit_params(params.model.path.c_str(), &mparams, &cparams, params.tensor_split, params.tensor_buft_overrides.data(),
                          params.fit_params_target.data(), params.fit_params_min_ctx, has_draft ? &extra : nullptr, GGML_LOG_LEVEL_ERROR);
    }
    start_use use = use_of(params.model.path, mparams, cparams);
    if (has_draft) {
        draft_c.n_ctx         = use.context;
        const memory_use more = use_of(draft.model.path, draft_m, draft_c).memory;
        memory_add(use.memory.host, more.host);
        for (const auto & [device, on_card] : more.cards) {
            memory_add(use.memory.cards[device], on_card);
        }
    }
    const int32_t asked = mparams.n_gpu_layers < 0 ? use.layers : std::min(mparams.n_gpu_layers, use.layers);
    answer_print({
        { "context", use.context },
        { "context_trained", use.trained },
        { "layers", use.layers },
        { "gpu_layers", use.memory.cards.empty() ? 0 : asked },
        { "cache_types", json::array({ ggml_type_name(cparams.type_k), ggml_type_name(cparams.type_v) }) },
        { "host", memory_json(use.memory.host) },
        { "devices", devices_json(use.memory) },
    });
    return 0;
}
