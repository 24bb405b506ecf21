#include "models.h"

#include "judged_options.h"
#include "members.h"
#include "renamed.h"
#include "user_error.h"

#include <algorithm>
#include <filesystem>

namespace fs = std::filesystem;

static const char * const WEIGHTS[] = {
    "--model", "--model-draft", "--mmproj", "--lora", "--lora-scaled", "--control-vector", "--control-vector-scaled",
};

bool models_is_weights(const std::string & option) {
    return std::any_of(std::begin(WEIGHTS), std::end(WEIGHTS), [&](const char * name) { return options_same(option, name); });
}

static std::string model_of(const common_preset & preset) {
    std::string path;
    preset.get_option("LLAMA_ARG_MODEL", path);
    return path;
}

bundle_models models_read(const options & opts, bundle & from) {
    bundle_models        models;
    const given_option * given = opts.find("--models-preset");
    if (!given) {
        return models;
    }
    const std::string & name   = given->values.back();
    const std::string   member = member_named(name, given->is_default, from);
    if (given->is_data) {
        members_name(*given, name, from); // refuses what is not inside
    }
    try {
        common_preset_context context(LLAMA_EXAMPLE_SERVER);
        common_preset         shared;
        models.presets = context.load_from_ini(fs::u8path(renamed_file(member.empty() ? name : from.materialize(member))), shared);
        models.presets = context.cascade(shared, models.presets);
    } catch (const user_error &) {
        throw;
    } catch (const std::exception & error) {
        throw user_error(name + ": " + error.what(), "see the chapter on presets in the README of llama.cpp's server");
    }
    const given_option * model = opts.find("--model");
    const std::string    first = model ? members_name(*model, model->values.back(), from) : "";
    const bool           is_data = !member.empty() && !from.is_trusted(member);
    for (auto & [served_as, preset] : models.presets) {
        for (auto & [option, value] : preset.options) {
            given_option said;
            said.name       = option.args.back();
            said.is_default = given->is_default || !member.empty();
            said.is_data    = is_data;
            if (is_data && !option_is_of_model(said.name)) {
                throw user_error(from.path() + ": its " + member + " has " + said.name + ", which a file of weights may not decide",
                                 "if you trust its author as you trust a program's: --trust-args obeys all of them");
            }
            value = members_name(said, value, from);
        }
        if (models.first.empty() || (!first.empty() && model_of(preset) == first)) {
            models.first = served_as;
        }
    }
    return models;
}

bool models_are_routed(const options & opts, const bundle_models & models) {
    const given_option * model = opts.find("--model");
    return !models.presets.empty() && opts.mode != run_mode::cli && !opts.find("--server-base") && (!model || model->is_default);
}

static std::string names_of(const common_presets & presets) {
    std::string names;
    for (const auto & [name, preset] : presets) {
        names += (names.empty() ? "" : ", ") + name;
    }
    return names;
}

// Which model is meant; "" where `-m` names weights of its own.
static std::string name_meant(const options & opts, const bundle_models & models, const bundle & from) {
    const given_option * model = opts.find("--model");
    if (!model || model->is_default) {
        return models.first;
    }
    const std::string & name = model->values.back();
    std::error_code     error;
    if (fs::exists(fs::u8path(name), error) || !member_named(name, false, from).empty()) {
        return "";
    }
    if (models.presets.count(name) == 0) {
        throw user_error(name + ": no such file, and no model of this file", "-m takes a .gguf, another bundle, or one of: " + names_of(models.presets));
    }
    return name;
}

// One option of a preset as words would give it.
static given_option given_of(const common_arg & option, const std::string & value) {
    given_option given;
    given.name       = option.args.back();
    given.is_default = true;
    if (option.value_hint) {
        given.values.push_back(value);
    } else if (common_arg_utils::is_falsey(value) && !option.args_neg.empty()) {
        given.name = option.args_neg.back();
    }
    return given;
}

void models_choose(options & opts, const bundle_models & models, const bundle & from) {
    if (models.presets.empty()) {
        return;
    }
    const std::string name = name_meant(opts, models, from);
    opts.remove("--models-preset");
    if (name.empty()) {
        return;
    }
    opts.remove("--model");
    if (name != models.first) {
        opts.given.erase(std::remove_if(opts.given.begin(), opts.given.end(), [](const given_option & option) {
            return option.is_default && models_is_weights(option.name);
        }), opts.given.end());
    }
    if (!opts.find("--alias")) {
        opts.add("--alias", name);
    }
    for (const auto & [option, value] : models.presets.at(name).options) {
        const bool           is_flag_off = !option.value_hint && common_arg_utils::is_falsey(value) && option.args_neg.empty();
        const given_option   given       = given_of(option, value);
        const given_option * other       = opts.find(given.name);
        if (option.is_preset_only || is_flag_off || (other && !other->is_default)) {
            continue;
        }
        opts.remove(given.name);
        opts.given.insert(opts.given.begin(), given);
    }
}
