"""Statistics as DuckDB macros, so that a pattern is one plain query wherever it is asked.

There is no error function in DuckDB. `chi2_p` uses Craig's form of the Gaussian tail,
`erfc(x) = 2/pi * integral of exp(-x^2 / sin^2 t) over t in 0..pi/2`, by the midpoint rule.
"""

WILSON_LOW = """
CREATE OR REPLACE MACRO wilson_low(k, n) AS CASE WHEN n > 0 THEN greatest(0.0,
    (k / n + 1.9208 / n - 1.96 * sqrt((k / n) * (1 - k / n) / n + 0.9604 / (n * n))) / (1 + 3.8416 / n)) END
"""
"""Lower end of the 95 % Wilson interval of `k` out of `n`."""

WILSON_HIGH = """
CREATE OR REPLACE MACRO wilson_high(k, n) AS CASE WHEN n > 0 THEN least(1.0,
    (k / n + 1.9208 / n + 1.96 * sqrt((k / n) * (1 - k / n) / n + 0.9604 / (n * n))) / (1 + 3.8416 / n)) END
"""

CHI2_P = """
CREATE OR REPLACE MACRO chi2_p(x) AS CASE WHEN x <= 0 THEN 1.0 WHEN x > 0 THEN
    list_sum(list_transform(range(0, 512), lambda i:
        exp(-x / (2 * pow(sin((i + 0.5) * pi() / 1024), 2))))) / 512 END
"""
"""Upper tail of the chi-square distribution with one degree of freedom."""

LOG_CHOOSE = """
CREATE OR REPLACE MACRO log_choose(n, k) AS lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0)
"""

FISHER_P = """
CREATE OR REPLACE MACRO fisher_p(a, b, c, d) AS least(1.0, list_sum(list_transform(
    range(greatest(0, (a + b) + (a + c) - (a + b + c + d))::BIGINT, least(a + b, a + c)::BIGINT + 1),
    lambda k: CASE WHEN
        log_choose(a + b, k) + log_choose(c + d, a + c - k)
            <= log_choose(a + b, a) + log_choose(c + d, c) + 1e-7
        THEN exp(log_choose(a + b, k) + log_choose(c + d, a + c - k) - log_choose(a + b + c + d, a + c))
        ELSE 0.0 END)))
"""
"""Fisher's exact test, two-sided, of the table ((a, b), (c, d)): the chance of a table no likelier."""

MACROS = (WILSON_LOW, WILSON_HIGH, CHI2_P, LOG_CHOOSE, FISHER_P)
