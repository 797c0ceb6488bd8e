// Package env holds what every process of Attune agrees on with its surroundings: the names of environment variables, the repository's root, the cache
// folder, the flags that XLA is given, files that are written whole or not at all, and locks between processes.
//
// It imports no other package of this module, and no GoMLX: the recipe runner, which links none, uses it.
package env
