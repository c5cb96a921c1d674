"""Clinical rules: published scores, classes and protocols over values that somebody measured.

Decision support only: a value, a class or a score with the response its source publishes, never a
diagnosis. What is not given is missing, never assumed. `rules` has them all by name; the numbers stand in
``tables/``.
"""
