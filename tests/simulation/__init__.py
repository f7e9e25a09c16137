"""The proof that no combination of layers breaks the stream contract: random stacks, targets and consumers.

A case is made of its seed alone: a stack (`stacks`, options from `plates`), targets that do what targets do
(`scripts`) and consumers that do what consumers do (`consumers`). It runs in virtual time (`cases`); what it saw
(`world`) is judged by the invariants (`invariants`). That it finds bugs is shown by planting some (`planted`).
`python -m tests.simulation SEED` plays one case again and tells what happened.
"""
