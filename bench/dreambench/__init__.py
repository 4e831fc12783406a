"""A benchmark for dreams with planted truth: does a dream keep what is true, drop what is not, and not rot the store?

`python -m bench.dreambench run`, from the root of the repository. See `bench/dreambench/README.md`.
The generator, the truth and the scoring need nothing but Python, so that other systems can be measured too.
"""
