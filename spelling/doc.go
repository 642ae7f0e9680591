// Package spelling finds the word that somebody meant: for keys of the policy file and
// names of environment variables that nothing reads.
package spelling
