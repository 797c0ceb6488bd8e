// Package hub finds the directory of a model: a directory is taken as it is, and
//
//	hf:owner/name[@revision]
//
// is fetched from the Hugging Face hub into the cache that the Python tools use, or taken from there. Files of a data set, hf-data:owner/name[/path][@revision], are
// fetched by [Files] with the same care.
//
// # What is fetched
//
// safetensors weights, config.json, generation_config.json, the tokenizer's files, the index of the shards and the chat template:
// nothing else. Pickled weights are never fetched, as unpickling runs code from the file.
//
// # The cache
//
// The layout is that of huggingface_hub (https://huggingface.co/docs/huggingface_hub/guides/manage-cache), in both directions: what Python
// fetched is found here, and what is fetched here is found by Python.
//
//	$HF_HUB_CACHE, or $HF_HOME/hub, or $XDG_CACHE_HOME/huggingface/hub, or ~/.cache/huggingface/hub
//	  models--owner--name/
//	    blobs/<hash>                  the bytes, once; <hash>.incomplete while they come in
//	    snapshots/<commit>/<file>     links into blobs
//	    refs/<revision>               the commit a branch or tag stood at
//	  .locks/models--owner--name/     so that two programs do not write one blob
//
// A download that was cut off continues where it stopped (a Range request), and every blob is checked against the hash the hub
// names, SHA-256 for large files and git's SHA-1 for small ones, before it gets its name.
//
// # Pinning
//
// A revision is a branch, a tag or a commit. [Info] holds what was asked and the commit it resolved to; its String pins the model in a
// provenance record. A full commit that is in the cache is used without asking the hub.
//
// # Offline
//
// With HF_HUB_OFFLINE=1, or when the hub cannot be reached, a complete cached copy is used and [Info] says so. Without one, Resolve
// fails at once: reaching the hub is given seconds, not minutes.
//
// # The token
//
// HF_TOKEN, or the token `hf auth login` saved, is sent to the hub's own host only: never to the servers it redirects downloads to. It is in
// no error, no progress report and no [Info].
//
// # What is taken from go-huggingface
//
// The files of a repository are read into the type of github.com/gomlx/go-huggingface/hub, whose constants and user agent are used as
// well. Its downloads are not: version 0.4.3 starts a cut-off file again from the first byte, takes a
// connection that breaks for the end of the file, asks the hub even when everything is cached, ignores HF_HOME and writes no refs, so that Python
// does not find offline what it fetched.
package hub
