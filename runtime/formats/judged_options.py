"""What native/options.toml says of each option, made by `python -m ci.options`."""

from __future__ import annotations

from typing import NamedTuple


class JudgedOption(NamedTuple):
    """One spelling of an option."""

    is_of_model: bool
    """Whether a file of weights may say it."""
    values: int
    """How many words follow."""
    names_file: bool
    is_list: bool
    """Whether the engine divides the value at commas."""


_SPELLINGS = {
    (False, 0, False, False): """
        --agent --cache-idle-slots --cache-list --chat --cli --completion-bash --cont-batching
        --conversation --cors-credentials --direct-io --display-prompt --embd-gemma-default
        --fetch-media --fim-qwen-1.5b-default --fim-qwen-14b-spec --fim-qwen-30b-default
        --fim-qwen-3b-default --fim-qwen-7b-default --fim-qwen-7b-spec --gpt-oss-120b-default
        --gpt-oss-20b-default --help --https --interactive --interactive-first --kv-offload
        --licenses --list-devices --log-disable --log-jsonl --log-prefix --log-timestamps
        --log-verbose --metrics --mlock --mmap --models-autoload --multiline-input --no-agent
        --no-browser --no-cache-idle-slots --no-cont-batching --no-conversation
        --no-cors-credentials --no-direct-io --no-display-prompt --no-host --no-kv-offload
        --no-log-jsonl --no-log-prefix --no-log-timestamps --no-mmap --no-models-autoload
        --no-op-offload --no-perf --no-repack --no-show-timings --no-slots --no-ui --no-ui-mcp-proxy
        --no-webui --no-webui-mcp-proxy --nobrowser --nocompile --offline --op-offload --perf
        --print-options --probe-memory --probe-template --prompt-cache-all --prompt-cache-ro --props
        --recompile --repack --reuse-port --server --show-timings --simple-io --single-turn --slots
        --trust-args --ui --ui-mcp-proxy --usage --verbose --verbose-prompt --verify --version
        --vision-gemma-12b-default --vision-gemma-4b-default --webui --webui-mcp-proxy -ag -cb -cl
        -cnv -dio -h -i -if -kvo -mli -ndio -nkvo -no-ag -no-cnv -nocb -nr -st -v
    """,
    (False, 1, False, False): """
        --allow-origin --api-key --api-prefix --cache-ram --color --config --cors-headers
        --cors-methods --cors-origins --cpu --cpu-mask --cpu-mask-batch --cpu-mask-batch-draft
        --cpu-mask-draft --cpu-range --cpu-range-batch --cpu-range-draft --cpu-strict
        --cpu-strict-batch --cpu-strict-batch-draft --cpu-strict-draft --device --device-draft
        --docker-repo --fit --fit-ctx --fit-target --gpu --hf-file --hf-repo --hf-repo-draft
        --hf-token --host --lazy-mode --load-mode --log-colors --log-file --log-prompts-dir
        --log-verbosity --lookup-cache-dynamic --main-gpu --mcp-servers-config --mcp-servers-json
        --media-path --mmproj-device --mmproj-url --model-url --models-dir --models-max
        --moe-cache-mib --numa --output --output-file --override-tensor --override-tensor-draft
        --parallel --path --poll --poll-batch --poll-batch-draft --poll-draft --port --print-env
        --print-token-count --prio --prio-batch --prio-batch-draft --prio-draft --prompt-cache --rpc
        --sandbox --server-base --sleep-idle-seconds --slot-prompt-similarity --slot-save-path
        --spec-draft-cpu-mask --spec-draft-cpu-mask-batch --spec-draft-cpu-range
        --spec-draft-cpu-strict --spec-draft-cpu-strict-batch --spec-draft-device --spec-draft-hf
        --spec-draft-override-tensor --spec-draft-poll --spec-draft-poll-batch --spec-draft-prio
        --spec-draft-prio-batch --spec-draft-threads --spec-draft-threads-batch --split-mode
        --sse-ping-interval --ssl-cert-file --ssl-key-file --tensor-split --threads --threads-batch
        --threads-batch-draft --threads-draft --threads-http --timeout --tools --tools-runtime
        --ui-config --verbosity --video-ffmpeg-dir --webui-config -C -Cb -Cbd -Cd -Cr -Crb -Crd -co
        -cram -dev -devd -dr -fit -fitc -fitt -hf -hfd -hff -hfr -hfrd -hft -lcd -lm -lv -lzm -mg
        -mmdev -mmu -mu -np -o -ot -otd -ptc -sm -sps -t -tb -tbd -td -to -ts dedup-cache-models
        stop-timeout
    """,
    (False, 1, True, False): """
        --api-key-file --binary-file --file --lookup-cache-static --ui-config-file
        --webui-config-file -bf -f -lcs
    """,
    (False, 1, True, True): """
        --audio --image --video
    """,
    (True, 0, False, False): """
        --ascii --backend-sampling --cache-prompt --check-tensors --context-shift --cpu-moe
        --cpu-moe-draft --embedding --embeddings --escape --fast --ignore-eos --in-prefix-bos
        --jinja --kv-unified --lora-init-without-apply --mmproj-auto --mmproj-offload
        --no-cache-prompt --no-context-shift --no-escape --no-jinja --no-kv-unified --no-mmproj
        --no-mmproj-auto --no-mmproj-offload --no-prefill-assistant --no-reasoning-preserve
        --no-skip-chat-parsing --no-spec-draft-backend-sampling --no-warmup --nologo --precise
        --prefill-assistant --reasoning-preserve --rerank --reranking --skip-chat-parsing
        --spec-default --spec-draft-backend-sampling --spec-draft-cpu-moe --special --spm-infill
        --swa-full --trap --unsecure --v1 --v2 --warmup -bs -cmoe -cmoed -e -kvu -no-kvu -sp
    """,
    (True, 1, False, False): """
        --adaptive-decay --adaptive-target --alias --batch-size --cache-reuse --cache-type-k
        --cache-type-k-draft --cache-type-v --cache-type-v-draft --chat-template
        --chat-template-kwargs --checkpoint-min-step --ctx-checkpoints --ctx-size --defrag-thold
        --draft --draft-max --draft-min --draft-n --draft-n-min --draft-p-min --draft-p-split
        --dry-allowed-length --dry-base --dry-multiplier --dry-penalty-last-n --dry-sequence-breaker
        --dynatemp-exp --dynatemp-range --embd-normalize --flash-attn --frequency-penalty
        --gpu-layers --gpu-layers-draft --grammar --grp-attn-n --grp-attn-w --image-max-tokens
        --image-min-tokens --in-prefix --in-suffix --json-schema --keep --kv-unified-per-slot
        --logit-bias --min-p --mirostat --mirostat-ent --mirostat-lr --mtmd-batch-max-tokens
        --n-cpu-ffn --n-cpu-moe --n-cpu-moe-draft --n-gpu-layers --n-gpu-layers-draft --n-predict
        --override-kv --pooling --predict --presence-penalty --prompt --reasoning --reasoning-budget
        --reasoning-budget-message --reasoning-effort --reasoning-format --repeat-last-n
        --repeat-penalty --reverse-prompt --rope-freq-base --rope-freq-scale --rope-scale
        --rope-scaling --sampler-seq --samplers --sampling-seq --seed --spec-draft-n-cpu-moe
        --spec-draft-n-max --spec-draft-n-min --spec-draft-ncmoe --spec-draft-ngl --spec-draft-p-min
        --spec-draft-p-split --spec-draft-sampling --spec-draft-type-k --spec-draft-type-v
        --spec-ngram-map-k-min-hits --spec-ngram-map-k-size-m --spec-ngram-map-k-size-n
        --spec-ngram-map-k4v-min-hits --spec-ngram-map-k4v-size-m --spec-ngram-map-k4v-size-n
        --spec-ngram-min-hits --spec-ngram-mod-n-match --spec-ngram-mod-n-max --spec-ngram-mod-n-min
        --spec-ngram-simple-min-hits --spec-ngram-simple-size-m --spec-ngram-simple-size-n
        --spec-ngram-size-m --spec-ngram-size-n --spec-synth-len --spec-synth-rates --spec-type
        --swa-checkpoints --system-prompt --tags --temp --temperature --top-k --top-n-sigma
        --top-nsigma --top-p --typical --typical-p --ubatch-size --video-fps
        --video-timestamp-interval --xtc-probability --xtc-threshold --yarn-attn-factor
        --yarn-beta-fast --yarn-beta-slow --yarn-ext-factor --yarn-orig-ctx -a -b -c -cms -ctk -ctkd
        -ctv -ctvd -ctxcp -dt -fa -gan -gaw -j -l -n -ncffn -ncmoe -ncmoed -ngl -ngld -p -r -rea -s
        -sys -ub load-on-startup
    """,
    (True, 1, True, False): """
        --chat-template-file --grammar-file --json-schema-file --mmproj --model --model-draft
        --models-preset --spec-draft-model --system-prompt-file -jf -m -md -mm -sysf
    """,
    (True, 1, True, True): """
        --control-vector --control-vector-scaled --lora --lora-scaled
    """,
    (True, 2, False, False): """
        --control-vector-layer-range
    """,
}
"""Spellings of options by the facts of `JudgedOption`."""

JUDGED_OPTIONS = {
    name: JudgedOption(*facts) for facts, names in _SPELLINGS.items() for name in names.split()
}
