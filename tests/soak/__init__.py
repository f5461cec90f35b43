"""A soak test: everything at once, in real time, with random faults, and an account of each answer.

`python -m tests.soak --seconds 60 --seed 1` runs it and prints a table. The exit code is 1 if
anything was lost, duplicated, wrong, stale for too long, refused or leaked.

- The state of each extension is a counter, which the server increases all the time, so an answer
  shows how old it is, and that its fields belong together: `states`.
- What is wrong with an answer is decided by pure functions, which have tests: `checks`.
- An account is a server with its faults (`accounts`); activities use it through the library.
- Faults and their times are drawn from the seed (`schedule`). Rounds end with a quiet time, in
  which everything that follows an account must become current.
"""
