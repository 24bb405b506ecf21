# Upstream maps the whole file that a model lies in; with this header in front of it, only the
# member of the bundle is mapped, locked and prefetched.
set_source_files_properties("${LLAMA_SOURCE}/src/llama-mmap.cpp" DIRECTORY "${LLAMA_SOURCE}/src"
    PROPERTIES COMPILE_OPTIONS "-include;${CMAKE_CURRENT_SOURCE_DIR}/engine/hooks/member_mmap.h")
set(hooks "${CMAKE_CURRENT_SOURCE_DIR}/engine/hooks")
# Upstream's grammars have no bounds but the stack and the patience of whoever waits.
set_source_files_properties("${LLAMA_SOURCE}/src/llama-grammar.cpp" DIRECTORY "${LLAMA_SOURCE}/src"
    PROPERTIES COMPILE_OPTIONS "-include;${hooks}/grammar_bounds.h"
               COMPILE_DEFINITIONS LLAMAPACK_GRAMMAR_BOUNDS)
set_source_files_properties("${LLAMA_SOURCE}/src/llama-sampler.cpp" DIRECTORY "${LLAMA_SOURCE}/src"
    PROPERTIES COMPILE_DEFINITIONS llama_grammar_init_impl=llama_grammar_init_bounded)
set_source_files_properties(
    "${LLAMA_SOURCE}/common/json-schema.cpp"
    "${LLAMA_SOURCE}/common/json-schema-to-grammar.cpp"
    DIRECTORY "${LLAMA_SOURCE}/common"
    PROPERTIES COMPILE_OPTIONS "-include;${hooks}/schema_bounds.h"
               COMPILE_DEFINITIONS LLAMAPACK_SCHEMA_BOUNDS)
set_property(SOURCE "${LLAMA_SOURCE}/common/json-schema-to-grammar.cpp" DIRECTORY "${LLAMA_SOURCE}/common"
    APPEND PROPERTY COMPILE_DEFINITIONS build_grammar=build_grammar_with_prose)
target_sources(llama-common PRIVATE "${hooks}/schema_bounds.cpp" "${hooks}/chat_kept.cpp")
target_sources(llama PRIVATE
    "${hooks}/grammar_bounds.cpp"
    "${hooks}/mapped_members.cpp"
    "${hooks}/member_mmap_posix.cpp"
    "${hooks}/member_mmap_windows.cpp")
target_include_directories(llama PRIVATE "${hooks}")

# Upstream's parser reads what it is given, not what Windows says the process was started with, and
# text files as people write them.
set_source_files_properties("${LLAMA_SOURCE}/common/arg.cpp" DIRECTORY "${LLAMA_SOURCE}/common"
    PROPERTIES COMPILE_OPTIONS "-include;${hooks}/text_files.h;-include;${hooks}/given_argv.h")

# Upstream tells only its log how many layers run on the GPU.
set_source_files_properties("${LLAMA_SOURCE}/common/common.cpp" DIRECTORY "${LLAMA_SOURCE}/common"
    PROPERTIES COMPILE_DEFINITIONS llama_log_set=llama_log_set_watched)

# Upstream's router lists what lies in the user's Hub cache, refuses names that it does not know, and
# finds its own program only where there is Linux's /proc.
set_source_files_properties("${LLAMA_SOURCE}/common/preset.cpp" DIRECTORY "${LLAMA_SOURCE}/common"
    PROPERTIES COMPILE_DEFINITIONS common_list_cached_models=router_list_cached_models
               COMPILE_OPTIONS "-include;${hooks}/text_files.h")
set_source_files_properties("${LLAMA_SOURCE}/tools/server/server.cpp" DIRECTORY "${LLAMA_SOURCE}/tools/server"
    PROPERTIES COMPILE_OPTIONS "-include;${hooks}/router_routes.h;-include;${hooks}/../api/api_context.h;-include;${hooks}/../os/leaving.h"
               COMPILE_DEFINITIONS "LLAMAPACK_ROUTER_ROUTES;LLAMAPACK_API_CONTEXT;LLAMAPACK_LEAVING")
if (NOT WIN32 AND NOT APPLE)
    set_source_files_properties("${LLAMA_SOURCE}/tools/server/server-models.cpp" DIRECTORY "${LLAMA_SOURCE}/tools/server"
        PROPERTIES COMPILE_DEFINITIONS readlink=router_readlink)
endif()
if (NOT WIN32)
    set_source_files_properties("${LLAMA_SOURCE}/tools/server/server-models.cpp" DIRECTORY "${LLAMA_SOURCE}/tools/server"
        PROPERTIES COMPILE_OPTIONS "-include;${hooks}/router_ports.h")
endif()

# Upstream's server answers whoever asks, and reads whatever is sent.
set_source_files_properties("${LLAMA_SOURCE}/tools/server/server-http.cpp" DIRECTORY "${LLAMA_SOURCE}/tools/server"
    PROPERTIES COMPILE_OPTIONS "-include;${hooks}/request_guard.h"
               COMPILE_DEFINITIONS LLAMAPACK_REQUEST_GUARD)
set_source_files_properties("${LLAMA_SOURCE}/tools/server/server-context.cpp" DIRECTORY "${LLAMA_SOURCE}/tools/server"
    PROPERTIES COMPILE_DEFINITIONS "eval_llama_cmpl_schema=eval_llama_cmpl_schema_bounded;oaicompat_chat_params_parse=chat_request_parse;server_chat_convert_anthropic_to_oai=anthropic_request_convert")
set_source_files_properties("${LLAMA_SOURCE}/tools/server/server-queue.cpp" DIRECTORY "${LLAMA_SOURCE}/tools/server"
    PROPERTIES COMPILE_DEFINITIONS wait_for_all=wait_for_all_alone)
target_sources(server-context PRIVATE
    "${hooks}/chat_request.cpp"
    "${hooks}/sampling_bounds.cpp"
    "${hooks}/schema_patterns.cpp"
    "${hooks}/usage_sum.cpp")
file(GLOB api CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/engine/api/*.cpp")
target_sources(llama-server-impl PRIVATE
    ${api}
    "${hooks}/json_bounds.cpp"
    "${hooks}/request_guard.cpp"
    "${hooks}/router_routes.cpp")
target_include_directories(llama-server-impl PRIVATE "${hooks}" "${hooks}/../api" "${hooks}/../os")

# The web UI comes out of the bundle: this folder's ui.h stands before the one for embedded pages.
target_include_directories(llama-server-impl BEFORE PRIVATE "${hooks}/web_ui")

# Upstream has a source per model architecture, some 200 of them, and each reads the same headers:
# several at a time they compile in half the time. Neighbours in the alphabet define helpers of the
# same name (gemma3n and gemma4), so the groups are dealt out like cards.
function(llamapack_compile_together target folder groups)
    file(GLOB sources "${LLAMA_SOURCE}/${folder}/models/*.cpp")
    list(SORT sources)
    set(number 0)
    foreach (source ${sources})
        math(EXPR group "${number} % ${groups}")
        math(EXPR number "${number} + 1")
        set_source_files_properties("${source}" DIRECTORY "${LLAMA_SOURCE}/${folder}"
            PROPERTIES UNITY_GROUP "models-${group}")
    endforeach()
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()
llamapack_compile_together(llama src 10)
llamapack_compile_together(mtmd tools/mtmd 4)

# Compiled for speed these two take most of a minute, and neither has anything to do per token.
target_compile_options(cpp-httplib PRIVATE -Os)
set_property(SOURCE "${LLAMA_SOURCE}/common/arg.cpp" DIRECTORY "${LLAMA_SOURCE}/common"
    APPEND PROPERTY COMPILE_OPTIONS -Os)

# Chat templates are programs of strangers: what they cost is bounded, see template_budget.h.
set_property(SOURCE "${LLAMA_SOURCE}/tools/server/server-decision.cpp"
    DIRECTORY "${LLAMA_SOURCE}/tools/server"
    APPEND PROPERTY COMPILE_OPTIONS "-include;${hooks}/template_budget.h")
set_property(SOURCE "${LLAMA_SOURCE}/common/chat.cpp" "${LLAMA_SOURCE}/common/jinja/caps.cpp"
    DIRECTORY "${LLAMA_SOURCE}/common"
    APPEND PROPERTY COMPILE_OPTIONS "-include;${hooks}/template_budget.h")
set_property(SOURCE "${LLAMA_SOURCE}/common/jinja/value.cpp" DIRECTORY "${LLAMA_SOURCE}/common"
    APPEND PROPERTY COMPILE_OPTIONS "-include;${hooks}/template_steps.h")
set_property(SOURCE "${LLAMA_SOURCE}/common/chat.cpp" DIRECTORY "${LLAMA_SOURCE}/common"
    APPEND PROPERTY COMPILE_DEFINITIONS
        common_chat_templates_init=common_chat_templates_init_unbounded feed=feed_strict finish=finish_strict)
set_property(SOURCE "${LLAMA_SOURCE}/common/jinja/parser.cpp" DIRECTORY "${LLAMA_SOURCE}/common"
    APPEND PROPERTY COMPILE_DEFINITIONS parse_from_tokens=parse_from_tokens_unbounded)
target_sources(llama-common PRIVATE "${hooks}/template_budget.cpp" "${hooks}/template_check.cpp")
target_include_directories(llama-common PRIVATE "${hooks}")

# The log writes what strangers wrote.
set_property(SOURCE "${LLAMA_SOURCE}/common/log.cpp" DIRECTORY "${LLAMA_SOURCE}/common"
    APPEND PROPERTY COMPILE_OPTIONS "-include;${hooks}/log_print.h")

# TLS, as upstream's own build has it of BoringSSL; but ours is compiled before, see ../boringssl. Whom its
# clients trust is settled by tls/tls_roots.cpp, in one way on all systems. LLAMAPACK_BORINGSSL is the folder
# of its libraries and headers for the target.
target_compile_definitions(cpp-httplib PUBLIC CPPHTTPLIB_OPENSSL_SUPPORT
    CPPHTTPLIB_DISABLE_MACOSX_AUTOMATIC_ROOT_CERTIFICATES
    CPPHTTPLIB_DISABLE_WINDOWS_AUTOMATIC_ROOT_CERTIFICATES_UPDATE)
target_compile_options(cpp-httplib PRIVATE -include "${hooks}/tls_roots.h")
target_include_directories(cpp-httplib PRIVATE "${LLAMA_SOURCE}/vendor")
target_include_directories(cpp-httplib SYSTEM PUBLIC "${LLAMAPACK_BORINGSSL}/include")
target_link_libraries(cpp-httplib PUBLIC
    "${LLAMAPACK_BORINGSSL}/libssl.a" "${LLAMAPACK_BORINGSSL}/libcrypto.a" $<$<BOOL:${WIN32}>:crypt32>)
license_add_file("BoringSSL" "${LLAMAPACK_BORINGSSL}/LICENSE")
license_add_file("the list of certificate authorities" "${CMAKE_CURRENT_SOURCE_DIR}/engine/tls/roots-license.txt")

# A failed download is told in one line, and what came is what the Hub states.
set_source_files_properties("${LLAMA_SOURCE}/common/download.cpp" "${LLAMA_SOURCE}/common/hf-cache.cpp"
    DIRECTORY "${LLAMA_SOURCE}/common" PROPERTIES COMPILE_DEFINITIONS common_log_add=download_log_add)
set_property(SOURCE "${LLAMA_SOURCE}/common/arg.cpp" DIRECTORY "${LLAMA_SOURCE}/common"
    APPEND PROPERTY COMPILE_DEFINITIONS common_download_run_tasks=download_run_checked)
# Requests may name pictures by their address: see request_guard.cpp.
set_source_files_properties("${LLAMA_SOURCE}/tools/server/server-common.cpp" DIRECTORY "${LLAMA_SOURCE}/tools/server"
    PROPERTIES COMPILE_DEFINITIONS common_remote_get_content=media_get_content)
