"""Checks proofs of Keyward's audit log with aics-tlog, another implementation of RFC 6962 and C2SP's formats.

Reads a JSON object from stdin: the verifier key, the checkpoint, and for each entry the entry and its proof.
Prints how many entries are proven.
"""

import base64
import json
import sys

from aics_tlog import MerkleTree, parse_note, parse_vkey, verify_checkpoint, verify_leaf_inclusion

given = json.load(sys.stdin)
key = parse_vkey(given["verifier_key"])


def checkpoint_of(note):
    result = verify_checkpoint(parse_note(note), key, expected_origin=given["origin"])
    assert result.ok, result.error
    return result


def leaf_of(salt, entry):
    # The entries have only texts, whole numbers and names in ASCII, for which this is RFC 8785.
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return salt + text.encode()


newest = checkpoint_of(given["checkpoint"])
leaves = {}
for item in given["entries"]:
    head, note = item["proof"].split("\n\n", 1)
    version, extra, index, *hashes = head.split("\n")
    assert version == "c2sp.org/tlog-proof@v1", version
    checkpoint = checkpoint_of(note)
    index = int(index.removeprefix("index "))
    leaf = leaf_of(base64.b64decode(extra.removeprefix("extra ")), item["entry"])
    path = [base64.b64decode(line) for line in hashes]
    arguments = (index, checkpoint.size, path, checkpoint.root)
    assert verify_leaf_inclusion(leaf, *arguments), f"entry {index} is not proven"
    assert not verify_leaf_inclusion(leaf + b" ", *arguments), f"another entry {index} is proven"
    leaves[index] = leaf

# All entries together give the root hash of the checkpoint.
assert sorted(leaves) == list(range(newest.size)), sorted(leaves)
tree = MerkleTree([leaves[index] for index in range(newest.size)])
assert tree.root() == newest.root, "the tree has another root hash"
print(len(leaves))
