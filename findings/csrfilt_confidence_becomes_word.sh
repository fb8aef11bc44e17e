#!/usr/bin/env bash
# What csrfilt.sh makes of a ctm's word that a rule of the glm deletes.
#
# Version: csrfilt.sh 1.17 and sclite 2.10 of Debian 12's package
# sctk 2.4.10-20151007-1312Z+dfsg2-3.1 (amd64).
#
# Expected: the word is gone, as it is from an stm or a trn: "The first rule that is
# found to match the input string is applied by concatenating its output field onto the
# output string" (doc/GLMRules.txt), here an empty one.
#
# Behaviour: the line keeps its other fields. The last of them, the confidence, stands
# where the word was, and sclite counts it as an inserted word. Nothing warns of it. In
# a ctm without confidences the line is gone.
#
# Seen:
#   with confidences: f A 0.50 0.20 0.31
#   correct 2, substituted 0, deleted 0, inserted 1
#   without confidences: nothing
#   correct 2, substituted 0, deleted 0, inserted 0
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq sctk=2.4.10-20151007-1312Z+dfsg2-3.1
dpkg -x sctk_*.deb .
export PATH="$work/usr/lib/sctk/bin:$PATH"

cat > rules.glm <<'GLM'
;; the word COUGH is to be left out
* case_sensitive = 'F'
COUGH => / [ ] __ [ ]
GLM
echo "f A s 0.00 1.00 hello you" > ref.stm
cat > with.ctm <<'CTM'
f A 0.10 0.30 hello 0.98
f A 0.50 0.20 cough 0.31
f A 0.80 0.10 you 0.97
CTM
cut -d ' ' -f 1-5 with.ctm > without.ctm
csrfilt.sh -i stm -t ref rules.glm < ref.stm > ref.filt

for kind in with without; do
    csrfilt.sh -i ctm -t hyp rules.glm < $kind.ctm > $kind.filt
    line=$(sed -n '/HELLO/d; /YOU/d; p' $kind.filt)
    echo "$kind confidences: ${line:-nothing}"
    sclite -r ref.filt stm -h $kind.filt ctm -o pra > log
    counts=$(sed -n 's/^Scores: (#C #S #D #I) //p' $kind.filt.pra)
    echo "$counts" | sed 's/\(.*\) \(.*\) \(.*\) \(.*\)/correct \1, substituted \2, deleted \3, inserted \4/'
    [[ $kind = with ]] && expected="2 0 0 1" || expected="2 0 0 0"
    if [[ $counts != "$expected" ]]; then
        echo "the counts are no longer $expected" >&2
        exit 1
    fi
done
