module rl-arena.io/bench/reference/plain

go 1.24.0
