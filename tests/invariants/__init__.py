"""What holds whatever happens, each checked by random stories, or by every cancellation.

Each module states its invariant in its docstring. By default few stories are told, always the same;
`pytest tests/invariants --hypothesis-profile=thorough` tells many.
"""
