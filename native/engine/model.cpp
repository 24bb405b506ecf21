#include "model.h"

#include "ggml.h"
#include "gguf.h"
#include "members.h"
#include "sidecar.h"
#include "user_error.h"

#include <algorithm>
#include <cstring>
#include <memory>

static constexpr uint32_t CONTEXT_DEFAULT = 8192; // tokens

// Options that belong to the bundle's own weights and mean nothing for others.
static const char * const MODEL_BOUND[] = {
    "--model", "--model-draft", "--mmproj", "--lora", "--lora-scaled", "--control-vector", "--control-vector-scaled",
    "--chat-template", "--chat-template-file", "--ctx-size", "--alias",
};

static bool is_gguf(const std::string & path) {
    FILE * file = ggml_fopen(path.c_str(), "rb");
    if (!file) {
        return false;
    }
    char       magic[4];
    const bool is = fread(magic, 1, 4, file) == 4 && memcmp(magic, "GGUF", 4) == 0;
    fclose(file);
    return is;
}

static bool is_file(const std::string & path) {
    FILE * file = ggml_fopen(path.c_str(), "rb");
    if (file) {
        fclose(file);
    }
    return file != nullptr;
}

const given_option * model_open_bundle(const options & opts, bundle & from) {
    const given_option * model = opts.find("--model");
    if (model && !model->is_default) {
        const std::string & path = model->values.back();
        if (from.has(path) || !is_file(path) || is_gguf(path) || !bundle::is_archive(path)) {
            return nullptr;
        }
        from.open(path);
        return model;
    }
    if (from.is_open() && from.weights().empty()) {
        const std::string path = sidecar_bundle(from.path());
        if (!path.empty() && bundle::is_archive(path)) {
            from.open(path);
        }
    }
    return nullptr;
}

// Whether the bundle's own arguments name weights that neither it nor its folder has.
static bool is_missing(const given_option & model, const bundle & from) {
    const std::string & name = model.values.back();
    return model.is_default && !model.is_data && !from.has(name) && name.rfind("/zip/", 0) != 0 && sidecar_file(from.path(), name).empty();
}

static void model_choose_sidecar(options & opts, const bundle & from) {
    const std::string path = from.is_open() ? sidecar_weights(from.path()) : "";
    if (path.empty() && !from.is_open()) {
        throw user_error("no weights: -m names none", "start it with -m FILE.gguf");
    }
    if (path.empty()) {
        throw user_error(from.path() + ": holds no weights, and there are none beside it",
                         "put its .llamafile or .gguf into the same folder, or start it with -m FILE");
    }
    opts.remove("--model");
    opts.add("--model", path);
}

model_header model_header_read(const std::string & path) {
    const std::unique_ptr<gguf_context, void (*)(gguf_context *)> header(
        gguf_init_from_file(path.c_str(), { /*.no_alloc =*/ true, /*.ctx =*/ nullptr }), gguf_free);
    if (!header) {
        throw user_error(path + ": is not a GGUF that can be read", "check the file with `llamapack inspect`");
    }
    model_header read;
    for (const char * key : { "tokenizer.chat_template", "tokenizer.chat_template.tool_use" }) {
        read.has_template = read.has_template || gguf_find_key(header.get(), key) >= 0;
    }
    const int64_t architecture = gguf_find_key(header.get(), "general.architecture");
    if (architecture < 0 || gguf_get_kv_type(header.get(), architecture) != GGUF_TYPE_STRING) {
        return read;
    }
    const std::string key    = std::string(gguf_get_val_str(header.get(), architecture)) + ".context_length";
    const int64_t     length = gguf_find_key(header.get(), key.c_str());
    if (length >= 0 && gguf_get_kv_type(header.get(), length) == GGUF_TYPE_UINT32) {
        read.context_trained = gguf_get_val_u32(header.get(), length);
    }
    return read;
}

// "gemma-2-2b.Q6_K" for "/zip/gemma-2-2b.Q6_K.gguf"
static std::string model_name(const std::string & path) {
    std::string name = path.substr(path.find_last_of("/\\") + 1);
    if (name.size() > 5 && name.compare(name.size() - 5, 5, ".gguf") == 0) {
        name.resize(name.size() - 5);
    }
    return name;
}

void model_choose(options & opts, bundle & from) {
    const given_option * model = opts.find("--model");
    if (model && !model->is_default && model->values.back().rfind("/zip/", 0) != 0 && is_file(model->values.back())) {
        opts.given.erase(std::remove_if(opts.given.begin(), opts.given.end(), [](const given_option & option) {
            return option.is_default && std::any_of(std::begin(MODEL_BOUND), std::end(MODEL_BOUND),
                [&](const char * name) { return options_same(option.name, name); });
        }), opts.given.end());
    } else if (!model && !from.weights().empty()) {
        opts.add("--model", "/zip/" + from.weights().front());
    } else if (!model || is_missing(*model, from)) {
        model_choose_sidecar(opts, from);
    }
    members_resolve(opts, from);
}

void model_examine(options & opts) {
    const std::string path = opts.value("--model");
    if (!is_file(path)) {
        throw user_error(path + ": no such file", "-m takes the path of a .gguf or of another bundle");
    }
    if (!is_gguf(path)) {
        const char * why = archive().open(path);
        throw user_error(path + ": is not a GGUF" + (why ? std::string(", nor a bundle: ") + why : ""),
                         "-m takes a .gguf or another bundle");
    }
    const model_header header = model_header_read(path);
    if (header.context_trained > 0 && !opts.find("--ctx-size") && !std::getenv("LLAMA_ARG_CTX_SIZE")) {
        opts.add("--ctx-size", std::to_string(std::min(header.context_trained, CONTEXT_DEFAULT)));
    }
    opts.no_chat = !header.has_template && !opts.find("--chat-template") && !opts.find("--chat-template-file") && !options_embed(opts);
    if (!opts.find("--alias")) {
        opts.add("--alias", model_name(path));
    }
}
