# The stages of every recipe. recipes/CORPUS/run.sh sources it and has nothing else but the
# comment that it begins with, which is what --help prints first; beside it stand
#
#     prepare.py        the corpus: where it is, its parts (asrkit.cli.recipe.recipe)
#     conf/experiment/  YAML files, where the defaults of conf/ do not fit
#
# What --help prints then is the same for every recipe, and begins here:
#
#   --stage N, --stop-stage M
#                 0 recordings: download or speak them; 1 manifests; 2 features (stored if
#                 data.stored_features=true); 3 tokenizer; 4 train; 5 average and language
#                 model (--lm); 6 decode; 7 report; asked for by number only: 8 export to
#                 ONNX
#   --gpus N      train on N GPUs with torchrun
#   --lm NAME     train a language model, too, and decode with it: ngram, or a file of
#                 conf/lm, such as lstm or transformer
#   --columns OURS=THEIRS,...
#                 what tables of DIR call their columns, e.g. audio=clip,text=words
#   --run-commands
#                 run the commands that stand in wav.scp; look them over before
#   key=value     any setting, e.g. loss=ctc optim.lr=1e-3 exp_dir=exp/mine;
#                 pipeline=progressive trains in stages (docs/progressive.md)
#
# What is done is not done again: to go on after an interruption, run the same command.

# Works in bash 3.2, which macOS has.

called_from="$PWD"
recipe="$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd -P)"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
recipe="${recipe#"$(pwd -P)"/}"
run_sh="$recipe/${BASH_SOURCE[1]##*/}"

corpus='' stage=0 stop_stage='' gpus=1 lm=none
overrides=() reading=()
# Prints the comment that a file has below a line.
comment_below() { sed -n "$1"',/^[^#]/{/^[^#]/d;/^$/q;s/^# \{0,1\}//;p;}' "$2"; }
usage() {
    comment_below 2 "$run_sh"
    comment_below '/begins here:$/' scripts/recipe.sh | sed 1,2d
}
bad() {
    echo "error: $1; see $0 --help" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    case "$1" in
    -h | --help)
        usage
        exit
        ;;
    --corpus=* | --stage=* | --stop-stage=* | --stop_stage=* | --gpus=* | --lm=* | --columns=*)
        set -- "${1%%=*}" "${1#*=}" "${@:2}"
        continue
        ;;
    --run-commands)
        reading+=("$1")
        shift
        ;;
    --corpus | --stage | --stop-stage | --stop_stage | --gpus | --lm | --columns)
        [ $# -ge 2 ] || bad "$1 needs a value"
        case "$1" in
        --corpus) corpus="$2" ;;
        --stage) stage="$2" ;;
        --gpus) gpus="$2" ;;
        --lm) lm="$2" ;;
        --columns) reading+=("$1" "$2") ;;
        *) stop_stage="$2" ;;
        esac
        shift 2
        ;;
    -*) bad "unknown option $1" ;;
    *=*)
        overrides+=("$1")
        shift
        ;;
    *) bad "'$1' is neither an option nor key=value" ;;
    esac
done
# The export, 8, is made when it is asked for: it needs packages that training does not.
[ -n "$stop_stage" ] || case "$stage" in [0-7]) stop_stage=7 ;; *) stop_stage="$stage" ;; esac
for number in "$stage" "$stop_stage" "$gpus"; do
    case "$number" in '' | *[!0-9]*) bad "'$number' is not a number" ;; esac
done
case "$lm" in
none | ngram) ;;
*) [ -f "conf/lm/$lm.yaml" ] || bad "--lm $lm: neither none, ngram nor in conf/lm" ;;
esac

[ "$stop_stage" -lt 8 ] || ASRKIT_EXTRAS="${ASRKIT_EXTRAS:-demo,plot,onnx}"
. scripts/env.sh

from_to() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]; }
say() { echo "$(date '+%H:%M:%S') $*"; }

prepare() { "$PYTHON" "$recipe/prepare.py" ${corpus:+--corpus "$corpus"} "$@"; }
prepare --stage "$stage" --stop-stage "$stop_stage" ${reading[@]+"${reading[@]}"}
[ "$stop_stage" -ge 2 ] || exit 0

# What the corpus asks for (which parts, which experiment), then what the user asks for.
settings=()
[ ! -d "$recipe/conf" ] || settings+=(--config-dir "$recipe/conf")
chosen="$(prepare --settings)" || exit 2
while IFS= read -r line; do settings+=("$line"); done <<<"$chosen"
settings+=(${overrides[@]+"${overrides[@]}"})
# A run of another pipeline has a folder of its own.
case " ${overrides[*]-} " in
*" exp_dir="*) ;;
*" pipeline="*)
    other="$(printf '%s\n' "${overrides[@]}" | sed -n 's/^pipeline=//p' | tail -n 1)"
    base="$(printf '%s\n' "${settings[@]}" | sed -n 's/^exp_dir=//p' | tail -n 1)"
    [ "$other" = single ] || settings+=("exp_dir=${base}_$other")
    ;;
esac
exp_dir='' manifests='' train_parts=''
for setting in "${settings[@]}"; do
    case "$setting" in
    exp_dir=*) exp_dir="${setting#*=}" ;;
    data.manifests=*) manifests="${setting#*=}" ;;
    data.train=*) train_parts="$(echo "${setting#*=}" | tr -d '[]' | tr ',' ' ')" ;;
    esac
done
# Trains something on all GPUs.
train() {
    if [ "$gpus" -gt 1 ]; then
        "$PYTHON" -m torch.distributed.run --standalone --nproc-per-node "$gpus" "$@"
    else
        "$PYTHON" "$@"
    fi
}

# Lists the training stages' results that are newer than a file.
newer_than() {
    find "$exp_dir" -mindepth 2 -maxdepth 2 -name done -not -path '*/lm_*' -newer "$1"
}
started() { compgen -G "$exp_dir/*/done" >/dev/null; }

if from_to 2 && ! started; then
    say "stage 2: features"
    "$PYTHON" scripts/compute_features.py "${settings[@]}"
fi
if from_to 3 && ! started; then
    case " ${overrides[*]-} " in
    *" tokenizer.lexicon="*) ;;
    *" tokenizer=phone "*)
        prepare --lexicon
        ;;
    esac
    say "stage 3: tokenizer"
    "$PYTHON" scripts/tokenizer.py "${settings[@]}"
fi
if from_to 4; then
    say "stage 4: train (exp_dir $exp_dir)"
    train scripts/train.py "${settings[@]}"
fi
if from_to 5; then
    if [ -e "$exp_dir/average.pt" ] && [ -z "$(newer_than "$exp_dir/average.pt")" ]; then
        say "stage 5: already done, $exp_dir/average.pt"
    else
        say "stage 5: average"
        "$PYTHON" scripts/average.py --exp-dir "$exp_dir"
    fi
    if [ "$lm" = ngram ]; then
        lang_dir="$("$PYTHON" scripts/tokenizer.py "${settings[@]}")"
        if [ "$exp_dir/lm_ngram.arpa" -nt "$lang_dir/tokens.txt" ]; then
            say "stage 5: already done, $exp_dir/lm_ngram.arpa"
        else
            say "stage 5: language model $exp_dir/lm_ngram.arpa"
            # shellcheck disable=SC2086 # a word a part
            "$PYTHON" scripts/train_ngram.py --manifests "$manifests" \
                --sets $train_parts --lang-dir "$lang_dir" --order 3 \
                --out "$exp_dir/lm_ngram.arpa"
        fi
    elif [ "$lm" != none ]; then
        say "stage 5: language model $exp_dir/lm_$lm"
        train scripts/train_lm.py "${settings[@]}" "lm=$lm"
    fi
fi
if from_to 6; then
    if [ "$exp_dir/decode/results.json" -nt "$exp_dir/average.pt" ]; then
        say "stage 6: already done, $exp_dir/decode"
    else
        say "stage 6: decode"
        "$PYTHON" scripts/decode.py --exp-dir "$exp_dir"
    fi
    if [ "$lm" != none ]; then
        model="$exp_dir/lm_$lm"
        [ "$lm" != ngram ] || model="$model.arpa"
        say "stage 6: decode with $model"
        "$PYTHON" scripts/decode.py --exp-dir "$exp_dir" --method beam_search --lm "$model"
    fi
fi
if from_to 7; then
    "$PYTHON" scripts/report.py --exp-dir "$exp_dir" --called-from "$called_from" \
        --manifests "$manifests"
fi
if from_to 8; then
    if [ "$exp_dir/export/parity.json" -nt "$exp_dir/average.pt" ]; then
        say "stage 8: already done, $exp_dir/export"
    else
        say "stage 8: export"
        "$PYTHON" scripts/export.py --exp-dir "$exp_dir"
    fi
fi
