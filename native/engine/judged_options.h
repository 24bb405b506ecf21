// What native/options.toml says of each option, made by `python -m ci.options`.
#pragma once

#include <string>

// How upstream opens the file that an option names.
enum class opened_by {
    nothing,     // names no file
    ggml_fopen,  // our ggml_fopen finds the member
    own_reader,  // its own reader, from the start of a real file
    text_reader, // its own reader, the whole of a small file
};

struct judged_option {
    const char * name;
    bool         is_of_model; // a file of weights may say it
    opened_by    how;
    bool         is_list = false; // upstream divides the value at commas
};

static const judged_option JUDGED_OPTIONS[] = {
    { "--adaptive-decay", true, opened_by::nothing }, { "--adaptive-target", true, opened_by::nothing }, { "--agent", false, opened_by::nothing },
    { "--alias", true, opened_by::nothing }, { "--allow-origin", false, opened_by::nothing }, { "--api-key", false, opened_by::nothing },
    { "--api-key-file", false, opened_by::text_reader }, { "--api-prefix", false, opened_by::nothing }, { "--ascii", true, opened_by::nothing },
    { "--audio", false, opened_by::text_reader, true }, { "--backend-sampling", true, opened_by::nothing },
    { "--batch-size", true, opened_by::nothing }, { "--binary-file", false, opened_by::text_reader },
    { "--cache-idle-slots", false, opened_by::nothing }, { "--cache-list", false, opened_by::nothing },
    { "--cache-prompt", true, opened_by::nothing }, { "--cache-ram", false, opened_by::nothing }, { "--cache-reuse", true, opened_by::nothing },
    { "--cache-type-k", true, opened_by::nothing }, { "--cache-type-k-draft", true, opened_by::nothing },
    { "--cache-type-v", true, opened_by::nothing }, { "--cache-type-v-draft", true, opened_by::nothing }, { "--chat", false, opened_by::nothing },
    { "--chat-template", true, opened_by::nothing }, { "--chat-template-file", true, opened_by::text_reader },
    { "--chat-template-kwargs", true, opened_by::nothing }, { "--check-tensors", true, opened_by::nothing },
    { "--checkpoint-min-step", true, opened_by::nothing }, { "--cli", false, opened_by::nothing }, { "--color", false, opened_by::nothing },
    { "--completion-bash", false, opened_by::nothing }, { "--config", false, opened_by::nothing }, { "--cont-batching", false, opened_by::nothing },
    { "--context-shift", true, opened_by::nothing }, { "--control-vector", true, opened_by::ggml_fopen, true },
    { "--control-vector-layer-range", true, opened_by::nothing }, { "--control-vector-scaled", true, opened_by::ggml_fopen, true },
    { "--conversation", false, opened_by::nothing }, { "--cors-credentials", false, opened_by::nothing },
    { "--cors-headers", false, opened_by::nothing }, { "--cors-methods", false, opened_by::nothing }, { "--cors-origins", false, opened_by::nothing },
    { "--cpu", false, opened_by::nothing }, { "--cpu-mask", false, opened_by::nothing }, { "--cpu-mask-batch", false, opened_by::nothing },
    { "--cpu-mask-batch-draft", false, opened_by::nothing }, { "--cpu-mask-draft", false, opened_by::nothing },
    { "--cpu-moe", true, opened_by::nothing }, { "--cpu-moe-draft", true, opened_by::nothing }, { "--cpu-range", false, opened_by::nothing },
    { "--cpu-range-batch", false, opened_by::nothing }, { "--cpu-range-draft", false, opened_by::nothing },
    { "--cpu-strict", false, opened_by::nothing }, { "--cpu-strict-batch", false, opened_by::nothing },
    { "--cpu-strict-batch-draft", false, opened_by::nothing }, { "--cpu-strict-draft", false, opened_by::nothing },
    { "--ctx-checkpoints", true, opened_by::nothing }, { "--ctx-size", true, opened_by::nothing }, { "--defrag-thold", true, opened_by::nothing },
    { "--device", false, opened_by::nothing }, { "--device-draft", false, opened_by::nothing }, { "--direct-io", false, opened_by::nothing },
    { "--display-prompt", false, opened_by::nothing }, { "--docker-repo", false, opened_by::nothing }, { "--draft", true, opened_by::nothing },
    { "--draft-max", true, opened_by::nothing }, { "--draft-min", true, opened_by::nothing }, { "--draft-n", true, opened_by::nothing },
    { "--draft-n-min", true, opened_by::nothing }, { "--draft-p-min", true, opened_by::nothing }, { "--draft-p-split", true, opened_by::nothing },
    { "--dry-allowed-length", true, opened_by::nothing }, { "--dry-base", true, opened_by::nothing },
    { "--dry-multiplier", true, opened_by::nothing }, { "--dry-penalty-last-n", true, opened_by::nothing },
    { "--dry-sequence-breaker", true, opened_by::nothing }, { "--dynatemp-exp", true, opened_by::nothing },
    { "--dynatemp-range", true, opened_by::nothing }, { "--embd-gemma-default", false, opened_by::nothing },
    { "--embd-normalize", true, opened_by::nothing }, { "--embedding", true, opened_by::nothing }, { "--embeddings", true, opened_by::nothing },
    { "--escape", true, opened_by::nothing }, { "--fast", true, opened_by::nothing }, { "--fetch-media", false, opened_by::nothing },
    { "--file", false, opened_by::text_reader }, { "--fim-qwen-1.5b-default", false, opened_by::nothing },
    { "--fim-qwen-14b-spec", false, opened_by::nothing }, { "--fim-qwen-30b-default", false, opened_by::nothing },
    { "--fim-qwen-3b-default", false, opened_by::nothing }, { "--fim-qwen-7b-default", false, opened_by::nothing },
    { "--fim-qwen-7b-spec", false, opened_by::nothing }, { "--fit", false, opened_by::nothing }, { "--fit-ctx", false, opened_by::nothing },
    { "--fit-target", false, opened_by::nothing }, { "--flash-attn", true, opened_by::nothing }, { "--frequency-penalty", true, opened_by::nothing },
    { "--gpt-oss-120b-default", false, opened_by::nothing }, { "--gpt-oss-20b-default", false, opened_by::nothing },
    { "--gpu", false, opened_by::nothing }, { "--gpu-layers", true, opened_by::nothing }, { "--gpu-layers-draft", true, opened_by::nothing },
    { "--grammar", true, opened_by::nothing }, { "--grammar-file", true, opened_by::text_reader }, { "--grp-attn-n", true, opened_by::nothing },
    { "--grp-attn-w", true, opened_by::nothing }, { "--help", false, opened_by::nothing }, { "--hf-file", false, opened_by::nothing },
    { "--hf-repo", false, opened_by::nothing }, { "--hf-repo-draft", false, opened_by::nothing }, { "--hf-token", false, opened_by::nothing },
    { "--host", false, opened_by::nothing }, { "--https", false, opened_by::nothing }, { "--ignore-eos", true, opened_by::nothing },
    { "--image", false, opened_by::text_reader, true }, { "--image-max-tokens", true, opened_by::nothing },
    { "--image-min-tokens", true, opened_by::nothing }, { "--in-prefix", true, opened_by::nothing }, { "--in-prefix-bos", true, opened_by::nothing },
    { "--in-suffix", true, opened_by::nothing }, { "--interactive", false, opened_by::nothing }, { "--interactive-first", false, opened_by::nothing },
    { "--jinja", true, opened_by::nothing }, { "--json-schema", true, opened_by::nothing }, { "--json-schema-file", true, opened_by::text_reader },
    { "--keep", true, opened_by::nothing }, { "--kv-offload", false, opened_by::nothing }, { "--kv-unified", true, opened_by::nothing },
    { "--kv-unified-per-slot", true, opened_by::nothing }, { "--lazy-mode", false, opened_by::nothing }, { "--licenses", false, opened_by::nothing },
    { "--list-devices", false, opened_by::nothing }, { "--load-mode", false, opened_by::nothing }, { "--log-colors", false, opened_by::nothing },
    { "--log-disable", false, opened_by::nothing }, { "--log-file", false, opened_by::nothing }, { "--log-jsonl", false, opened_by::nothing },
    { "--log-prefix", false, opened_by::nothing }, { "--log-prompts-dir", false, opened_by::nothing },
    { "--log-timestamps", false, opened_by::nothing }, { "--log-verbose", false, opened_by::nothing },
    { "--log-verbosity", false, opened_by::nothing }, { "--logit-bias", true, opened_by::nothing },
    { "--lookup-cache-dynamic", false, opened_by::nothing }, { "--lookup-cache-static", false, opened_by::text_reader },
    { "--lora", true, opened_by::ggml_fopen, true }, { "--lora-init-without-apply", true, opened_by::nothing },
    { "--lora-scaled", true, opened_by::ggml_fopen, true }, { "--main-gpu", false, opened_by::nothing },
    { "--mcp-servers-config", false, opened_by::nothing }, { "--mcp-servers-json", false, opened_by::nothing },
    { "--media-path", false, opened_by::nothing }, { "--metrics", false, opened_by::nothing }, { "--min-p", true, opened_by::nothing },
    { "--mirostat", true, opened_by::nothing }, { "--mirostat-ent", true, opened_by::nothing }, { "--mirostat-lr", true, opened_by::nothing },
    { "--mlock", false, opened_by::nothing }, { "--mmap", false, opened_by::nothing }, { "--mmproj", true, opened_by::own_reader },
    { "--mmproj-auto", true, opened_by::nothing }, { "--mmproj-device", false, opened_by::nothing }, { "--mmproj-offload", true, opened_by::nothing },
    { "--mmproj-url", false, opened_by::nothing }, { "--model", true, opened_by::ggml_fopen }, { "--model-draft", true, opened_by::ggml_fopen },
    { "--model-url", false, opened_by::nothing }, { "--models-autoload", false, opened_by::nothing }, { "--models-dir", false, opened_by::nothing },
    { "--models-max", false, opened_by::nothing }, { "--models-preset", true, opened_by::text_reader },
    { "--moe-cache-mib", false, opened_by::nothing }, { "--mtmd-batch-max-tokens", true, opened_by::nothing },
    { "--multiline-input", false, opened_by::nothing }, { "--n-cpu-ffn", true, opened_by::nothing }, { "--n-cpu-moe", true, opened_by::nothing },
    { "--n-cpu-moe-draft", true, opened_by::nothing }, { "--n-gpu-layers", true, opened_by::nothing },
    { "--n-gpu-layers-draft", true, opened_by::nothing }, { "--n-predict", true, opened_by::nothing }, { "--no-agent", false, opened_by::nothing },
    { "--no-browser", false, opened_by::nothing }, { "--no-cache-idle-slots", false, opened_by::nothing },
    { "--no-cache-prompt", true, opened_by::nothing }, { "--no-cont-batching", false, opened_by::nothing },
    { "--no-context-shift", true, opened_by::nothing }, { "--no-conversation", false, opened_by::nothing },
    { "--no-cors-credentials", false, opened_by::nothing }, { "--no-direct-io", false, opened_by::nothing },
    { "--no-display-prompt", false, opened_by::nothing }, { "--no-escape", true, opened_by::nothing }, { "--no-host", false, opened_by::nothing },
    { "--no-jinja", true, opened_by::nothing }, { "--no-kv-offload", false, opened_by::nothing }, { "--no-kv-unified", true, opened_by::nothing },
    { "--no-log-jsonl", false, opened_by::nothing }, { "--no-log-prefix", false, opened_by::nothing },
    { "--no-log-timestamps", false, opened_by::nothing }, { "--no-mmap", false, opened_by::nothing }, { "--no-mmproj", true, opened_by::nothing },
    { "--no-mmproj-auto", true, opened_by::nothing }, { "--no-mmproj-offload", true, opened_by::nothing },
    { "--no-models-autoload", false, opened_by::nothing }, { "--no-op-offload", false, opened_by::nothing },
    { "--no-perf", false, opened_by::nothing }, { "--no-prefill-assistant", true, opened_by::nothing },
    { "--no-reasoning-preserve", true, opened_by::nothing }, { "--no-repack", false, opened_by::nothing },
    { "--no-show-timings", false, opened_by::nothing }, { "--no-skip-chat-parsing", true, opened_by::nothing },
    { "--no-slots", false, opened_by::nothing }, { "--no-spec-draft-backend-sampling", true, opened_by::nothing },
    { "--no-ui", false, opened_by::nothing }, { "--no-ui-mcp-proxy", false, opened_by::nothing }, { "--no-warmup", true, opened_by::nothing },
    { "--no-webui", false, opened_by::nothing }, { "--no-webui-mcp-proxy", false, opened_by::nothing }, { "--nobrowser", false, opened_by::nothing },
    { "--nocompile", false, opened_by::nothing }, { "--nologo", true, opened_by::nothing }, { "--numa", false, opened_by::nothing },
    { "--offline", false, opened_by::nothing }, { "--op-offload", false, opened_by::nothing }, { "--output", false, opened_by::nothing },
    { "--output-file", false, opened_by::nothing }, { "--override-kv", true, opened_by::nothing }, { "--override-tensor", false, opened_by::nothing },
    { "--override-tensor-draft", false, opened_by::nothing }, { "--parallel", false, opened_by::nothing }, { "--path", false, opened_by::nothing },
    { "--perf", false, opened_by::nothing }, { "--poll", false, opened_by::nothing }, { "--poll-batch", false, opened_by::nothing },
    { "--poll-batch-draft", false, opened_by::nothing }, { "--poll-draft", false, opened_by::nothing }, { "--pooling", true, opened_by::nothing },
    { "--port", false, opened_by::nothing }, { "--precise", true, opened_by::nothing }, { "--predict", true, opened_by::nothing },
    { "--prefill-assistant", true, opened_by::nothing }, { "--presence-penalty", true, opened_by::nothing },
    { "--print-env", false, opened_by::nothing }, { "--print-options", false, opened_by::nothing },
    { "--print-token-count", false, opened_by::nothing }, { "--prio", false, opened_by::nothing }, { "--prio-batch", false, opened_by::nothing },
    { "--prio-batch-draft", false, opened_by::nothing }, { "--prio-draft", false, opened_by::nothing },
    { "--probe-memory", false, opened_by::nothing }, { "--probe-template", false, opened_by::nothing }, { "--prompt", true, opened_by::nothing },
    { "--prompt-cache", false, opened_by::nothing }, { "--prompt-cache-all", false, opened_by::nothing },
    { "--prompt-cache-ro", false, opened_by::nothing }, { "--props", false, opened_by::nothing }, { "--reasoning", true, opened_by::nothing },
    { "--reasoning-budget", true, opened_by::nothing }, { "--reasoning-budget-message", true, opened_by::nothing },
    { "--reasoning-effort", true, opened_by::nothing }, { "--reasoning-format", true, opened_by::nothing },
    { "--reasoning-preserve", true, opened_by::nothing }, { "--recompile", false, opened_by::nothing }, { "--repack", false, opened_by::nothing },
    { "--repeat-last-n", true, opened_by::nothing }, { "--repeat-penalty", true, opened_by::nothing }, { "--rerank", true, opened_by::nothing },
    { "--reranking", true, opened_by::nothing }, { "--reuse-port", false, opened_by::nothing }, { "--reverse-prompt", true, opened_by::nothing },
    { "--rope-freq-base", true, opened_by::nothing }, { "--rope-freq-scale", true, opened_by::nothing }, { "--rope-scale", true, opened_by::nothing },
    { "--rope-scaling", true, opened_by::nothing }, { "--rpc", false, opened_by::nothing }, { "--sampler-seq", true, opened_by::nothing },
    { "--samplers", true, opened_by::nothing }, { "--sampling-seq", true, opened_by::nothing }, { "--sandbox", false, opened_by::nothing },
    { "--seed", true, opened_by::nothing }, { "--server", false, opened_by::nothing }, { "--server-base", false, opened_by::nothing },
    { "--show-timings", false, opened_by::nothing }, { "--simple-io", false, opened_by::nothing }, { "--single-turn", false, opened_by::nothing },
    { "--skip-chat-parsing", true, opened_by::nothing }, { "--sleep-idle-seconds", false, opened_by::nothing },
    { "--slot-prompt-similarity", false, opened_by::nothing }, { "--slot-save-path", false, opened_by::nothing },
    { "--slots", false, opened_by::nothing }, { "--spec-default", true, opened_by::nothing },
    { "--spec-draft-backend-sampling", true, opened_by::nothing }, { "--spec-draft-cpu-mask", false, opened_by::nothing },
    { "--spec-draft-cpu-mask-batch", false, opened_by::nothing }, { "--spec-draft-cpu-moe", true, opened_by::nothing },
    { "--spec-draft-cpu-range", false, opened_by::nothing }, { "--spec-draft-cpu-strict", false, opened_by::nothing },
    { "--spec-draft-cpu-strict-batch", false, opened_by::nothing }, { "--spec-draft-device", false, opened_by::nothing },
    { "--spec-draft-hf", false, opened_by::nothing }, { "--spec-draft-model", true, opened_by::ggml_fopen },
    { "--spec-draft-n-cpu-moe", true, opened_by::nothing }, { "--spec-draft-n-max", true, opened_by::nothing },
    { "--spec-draft-n-min", true, opened_by::nothing }, { "--spec-draft-ncmoe", true, opened_by::nothing },
    { "--spec-draft-ngl", true, opened_by::nothing }, { "--spec-draft-override-tensor", false, opened_by::nothing },
    { "--spec-draft-p-min", true, opened_by::nothing }, { "--spec-draft-p-split", true, opened_by::nothing },
    { "--spec-draft-poll", false, opened_by::nothing }, { "--spec-draft-poll-batch", false, opened_by::nothing },
    { "--spec-draft-prio", false, opened_by::nothing }, { "--spec-draft-prio-batch", false, opened_by::nothing },
    { "--spec-draft-sampling", true, opened_by::nothing }, { "--spec-draft-threads", false, opened_by::nothing },
    { "--spec-draft-threads-batch", false, opened_by::nothing }, { "--spec-draft-type-k", true, opened_by::nothing },
    { "--spec-draft-type-v", true, opened_by::nothing }, { "--spec-ngram-map-k-min-hits", true, opened_by::nothing },
    { "--spec-ngram-map-k-size-m", true, opened_by::nothing }, { "--spec-ngram-map-k-size-n", true, opened_by::nothing },
    { "--spec-ngram-map-k4v-min-hits", true, opened_by::nothing }, { "--spec-ngram-map-k4v-size-m", true, opened_by::nothing },
    { "--spec-ngram-map-k4v-size-n", true, opened_by::nothing }, { "--spec-ngram-min-hits", true, opened_by::nothing },
    { "--spec-ngram-mod-n-match", true, opened_by::nothing }, { "--spec-ngram-mod-n-max", true, opened_by::nothing },
    { "--spec-ngram-mod-n-min", true, opened_by::nothing }, { "--spec-ngram-simple-min-hits", true, opened_by::nothing },
    { "--spec-ngram-simple-size-m", true, opened_by::nothing }, { "--spec-ngram-simple-size-n", true, opened_by::nothing },
    { "--spec-ngram-size-m", true, opened_by::nothing }, { "--spec-ngram-size-n", true, opened_by::nothing },
    { "--spec-synth-len", true, opened_by::nothing }, { "--spec-synth-rates", true, opened_by::nothing }, { "--spec-type", true, opened_by::nothing },
    { "--special", true, opened_by::nothing }, { "--split-mode", false, opened_by::nothing }, { "--spm-infill", true, opened_by::nothing },
    { "--sse-ping-interval", false, opened_by::nothing }, { "--ssl-cert-file", false, opened_by::nothing },
    { "--ssl-key-file", false, opened_by::nothing }, { "--swa-checkpoints", true, opened_by::nothing }, { "--swa-full", true, opened_by::nothing },
    { "--system-prompt", true, opened_by::nothing }, { "--system-prompt-file", true, opened_by::text_reader }, { "--tags", true, opened_by::nothing },
    { "--temp", true, opened_by::nothing }, { "--temperature", true, opened_by::nothing }, { "--tensor-split", false, opened_by::nothing },
    { "--threads", false, opened_by::nothing }, { "--threads-batch", false, opened_by::nothing },
    { "--threads-batch-draft", false, opened_by::nothing }, { "--threads-draft", false, opened_by::nothing },
    { "--threads-http", false, opened_by::nothing }, { "--timeout", false, opened_by::nothing }, { "--tools", false, opened_by::nothing },
    { "--tools-runtime", false, opened_by::nothing }, { "--top-k", true, opened_by::nothing }, { "--top-n-sigma", true, opened_by::nothing },
    { "--top-nsigma", true, opened_by::nothing }, { "--top-p", true, opened_by::nothing }, { "--trap", true, opened_by::nothing },
    { "--trust-args", false, opened_by::nothing }, { "--typical", true, opened_by::nothing }, { "--typical-p", true, opened_by::nothing },
    { "--ubatch-size", true, opened_by::nothing }, { "--ui", false, opened_by::nothing }, { "--ui-config", false, opened_by::nothing },
    { "--ui-config-file", false, opened_by::text_reader }, { "--ui-mcp-proxy", false, opened_by::nothing },
    { "--unsecure", true, opened_by::nothing }, { "--usage", false, opened_by::nothing }, { "--v1", true, opened_by::nothing },
    { "--v2", true, opened_by::nothing }, { "--verbose", false, opened_by::nothing }, { "--verbose-prompt", false, opened_by::nothing },
    { "--verbosity", false, opened_by::nothing }, { "--verify", false, opened_by::nothing }, { "--version", false, opened_by::nothing },
    { "--video", false, opened_by::text_reader, true }, { "--video-ffmpeg-dir", false, opened_by::nothing },
    { "--video-fps", true, opened_by::nothing }, { "--video-timestamp-interval", true, opened_by::nothing },
    { "--vision-gemma-12b-default", false, opened_by::nothing }, { "--vision-gemma-4b-default", false, opened_by::nothing },
    { "--warmup", true, opened_by::nothing }, { "--webui", false, opened_by::nothing }, { "--webui-config", false, opened_by::nothing },
    { "--webui-config-file", false, opened_by::text_reader }, { "--webui-mcp-proxy", false, opened_by::nothing },
    { "--xtc-probability", true, opened_by::nothing }, { "--xtc-threshold", true, opened_by::nothing },
    { "--yarn-attn-factor", true, opened_by::nothing }, { "--yarn-beta-fast", true, opened_by::nothing },
    { "--yarn-beta-slow", true, opened_by::nothing }, { "--yarn-ext-factor", true, opened_by::nothing },
    { "--yarn-orig-ctx", true, opened_by::nothing }, { "-C", false, opened_by::nothing }, { "-Cb", false, opened_by::nothing },
    { "-Cbd", false, opened_by::nothing }, { "-Cd", false, opened_by::nothing }, { "-Cr", false, opened_by::nothing },
    { "-Crb", false, opened_by::nothing }, { "-Crd", false, opened_by::nothing }, { "-a", true, opened_by::nothing },
    { "-ag", false, opened_by::nothing }, { "-b", true, opened_by::nothing }, { "-bf", false, opened_by::text_reader },
    { "-bs", true, opened_by::nothing }, { "-c", true, opened_by::nothing }, { "-cb", false, opened_by::nothing },
    { "-cl", false, opened_by::nothing }, { "-cmoe", true, opened_by::nothing }, { "-cmoed", true, opened_by::nothing },
    { "-cms", true, opened_by::nothing }, { "-cnv", false, opened_by::nothing }, { "-co", false, opened_by::nothing },
    { "-cram", false, opened_by::nothing }, { "-ctk", true, opened_by::nothing }, { "-ctkd", true, opened_by::nothing },
    { "-ctv", true, opened_by::nothing }, { "-ctvd", true, opened_by::nothing }, { "-ctxcp", true, opened_by::nothing },
    { "-dev", false, opened_by::nothing }, { "-devd", false, opened_by::nothing }, { "-dio", false, opened_by::nothing },
    { "-dr", false, opened_by::nothing }, { "-dt", true, opened_by::nothing }, { "-e", true, opened_by::nothing },
    { "-f", false, opened_by::text_reader }, { "-fa", true, opened_by::nothing }, { "-fit", false, opened_by::nothing },
    { "-fitc", false, opened_by::nothing }, { "-fitt", false, opened_by::nothing }, { "-gan", true, opened_by::nothing },
    { "-gaw", true, opened_by::nothing }, { "-h", false, opened_by::nothing }, { "-hf", false, opened_by::nothing },
    { "-hfd", false, opened_by::nothing }, { "-hff", false, opened_by::nothing }, { "-hfr", false, opened_by::nothing },
    { "-hfrd", false, opened_by::nothing }, { "-hft", false, opened_by::nothing }, { "-i", false, opened_by::nothing },
    { "-if", false, opened_by::nothing }, { "-j", true, opened_by::nothing }, { "-jf", true, opened_by::text_reader },
    { "-kvo", false, opened_by::nothing }, { "-kvu", true, opened_by::nothing }, { "-l", true, opened_by::nothing },
    { "-lcd", false, opened_by::nothing }, { "-lcs", false, opened_by::text_reader }, { "-lm", false, opened_by::nothing },
    { "-lv", false, opened_by::nothing }, { "-lzm", false, opened_by::nothing }, { "-m", true, opened_by::ggml_fopen },
    { "-md", true, opened_by::ggml_fopen }, { "-mg", false, opened_by::nothing }, { "-mli", false, opened_by::nothing },
    { "-mm", true, opened_by::own_reader }, { "-mmdev", false, opened_by::nothing }, { "-mmu", false, opened_by::nothing },
    { "-mu", false, opened_by::nothing }, { "-n", true, opened_by::nothing }, { "-ncffn", true, opened_by::nothing },
    { "-ncmoe", true, opened_by::nothing }, { "-ncmoed", true, opened_by::nothing }, { "-ndio", false, opened_by::nothing },
    { "-ngl", true, opened_by::nothing }, { "-ngld", true, opened_by::nothing }, { "-nkvo", false, opened_by::nothing },
    { "-no-ag", false, opened_by::nothing }, { "-no-cnv", false, opened_by::nothing }, { "-no-kvu", true, opened_by::nothing },
    { "-nocb", false, opened_by::nothing }, { "-np", false, opened_by::nothing }, { "-nr", false, opened_by::nothing },
    { "-o", false, opened_by::nothing }, { "-ot", false, opened_by::nothing }, { "-otd", false, opened_by::nothing },
    { "-p", true, opened_by::nothing }, { "-ptc", false, opened_by::nothing }, { "-r", true, opened_by::nothing },
    { "-rea", true, opened_by::nothing }, { "-s", true, opened_by::nothing }, { "-sm", false, opened_by::nothing },
    { "-sp", true, opened_by::nothing }, { "-sps", false, opened_by::nothing }, { "-st", false, opened_by::nothing },
    { "-sys", true, opened_by::nothing }, { "-sysf", true, opened_by::text_reader }, { "-t", false, opened_by::nothing },
    { "-tb", false, opened_by::nothing }, { "-tbd", false, opened_by::nothing }, { "-td", false, opened_by::nothing },
    { "-to", false, opened_by::nothing }, { "-ts", false, opened_by::nothing }, { "-ub", true, opened_by::nothing },
    { "-v", false, opened_by::nothing }, { "dedup-cache-models", false, opened_by::nothing }, { "load-on-startup", true, opened_by::nothing },
    { "stop-timeout", false, opened_by::nothing },
};

// An option that upstream removed, and what means the same today.
struct removed_option {
    const char * name;
    const char * option;
    const char * value;
    const char * value_off; // in a preset that switches it off; "": nothing
};

static const removed_option REMOVED_OPTIONS[] = {
    { "--mlock", "--load-mode", "mlock", "" },
    { "--mmap", "--load-mode", "mmap", "none" },
    { "--no-mmap", "--load-mode", "none", "mmap" },
    { "-dio", "--load-mode", "dio", "none" },
    { "--direct-io", "--load-mode", "dio", "none" },
    { "-ndio", "--load-mode", "none", "dio" },
    { "--no-direct-io", "--load-mode", "none", "dio" },
};

static inline const judged_option * judged_option_find(const std::string & name) {
    for (const judged_option & one : JUDGED_OPTIONS) {
        if (name == one.name) {
            return &one;
        }
    }
    return nullptr;
}

static inline bool option_is_of_model(const std::string & name) {
    const judged_option * found = judged_option_find(name);
    return found && found->is_of_model;
}

static inline opened_by option_opened_by(const std::string & name) {
    const judged_option * found = judged_option_find(name);
    return found ? found->how : opened_by::nothing;
}

static inline bool option_is_list(const std::string & name) {
    const judged_option * found = judged_option_find(name);
    return found && found->is_list;
}
