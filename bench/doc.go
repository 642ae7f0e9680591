//go:build linux

// Command bench says what a decision costs, against a bare handler and oauth2-proxy.
//
// Each side is a process of its own, and this one is the client of all. The sides take
// turns, in a new random order each round; of each turn the CPU that the side's process
// used, in user and in kernel mode, is divided by the number of requests. A figure is the
// median over the rounds of the ratio of two sides, with its 95 % interval: the
// microseconds depend on the machine and on what else it does, the ratios much less.
//
//	main.go     flags, the rounds, the table
//	sides.go    the servers that are compared, and what they are asked
//	sessions.go AuthKit's emulator, and sealed sessions of its users
//	process.go  a server's process and the CPU it has used
//	client.go   requests over keep-alive connections
//	ratio.go    median and interval
//	memory.go   what so many sessions take
//	bare/       the bare handler
//
// It runs on Linux, whose processes can be asked for another's CPU clock.
package main
