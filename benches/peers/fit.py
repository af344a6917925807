"""Fits calibd's benchmark data with Python's libraries and compares the times.

usage: fit.py DATA_FOLDER CRITERION_FOLDER

Which peer is fair: the function of a library that people call for that fit, given what makes it fast:
arrays ready made, analytic Jacobians, one thread. calibd's fit gives parameters, covariance, residual
standard deviation, r2, AICc, the residuals' autocorrelation and the bias of the top decile. So:

- linear: statsmodels OLS, asked for its parameters, covariance, r2 and AIC; its other statistics are
  lazy and not asked for. scipy's linregress gives the line and two standard errors only: a row of its
  own, without a stand-in in calibd.
- nonlinear: curve_fit needs starting values and calibd finds its own. It gets them as read off a plot
  (rounded to a digit, 10 to 40 % off), and again, in a row of its own, the true parameters, which
  nobody has.
- histogram: calibration_curve, which checks its input as calibd does, and bincount, which does not.
- piecewise: the spline of degree 1 with the same knots, sorting included, as calibd has to sort.
"""

import csv
import json
import pathlib
import sys
import time
import warnings

import numpy as np
import scipy.interpolate
import scipy.optimize
import scipy.stats
import statsmodels.api as sm
from betacal import BetaCalibration
from sklearn.calibration import _SigmoidCalibration, _TemperatureScaling, calibration_curve
from sklearn.isotonic import IsotonicRegression
from venn_abers import VennAbers

warnings.simplefilter("ignore")
import scipy.odr  # noqa: E402  deprecated, and the newer package is no part of scipy


def columns(path):
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    values = np.array(rows[1:], dtype=float)
    return {name: np.ascontiguousarray(values[:, at]) for at, name in enumerate(rows[0])}


def ols(x, y):
    fit = sm.OLS(y, x).fit()
    return fit.params, fit.cov_params(), fit.rsquared, fit.aic


def odr(v, y, **known):
    model = scipy.odr.Model(
        lambda b, x: b[0] + b[1] * x,
        fjacb=lambda b, x: np.vstack([np.ones_like(x), x]),
        fjacd=lambda b, x: np.full_like(x, b[1]),
    )
    return scipy.odr.ODR(scipy.odr.RealData(v, y, **known), model, beta0=[1.0, 1.0]).run()


def curve(f, jacobian):
    return lambda x, y, start: scipy.optimize.curve_fit(f, x, y, p0=start, jac=jacobian, method="lm")


exponential = curve(
    lambda x, a, b, c: a + b * np.exp(c * x),
    lambda x, a, b, c: np.column_stack([np.ones_like(x), np.exp(c * x), b * x * np.exp(c * x)]),
)
saturation = curve(
    lambda x, a, b: -a * np.expm1(-b * x),
    lambda x, a, b: np.column_stack([-np.expm1(-b * x), a * x * np.exp(-b * x)]),
)
power = curve(
    lambda x, a, b: a * x**b,
    lambda x, a, b: np.column_stack([x**b, a * x**b * np.log(x)]),
)


def logistic_jacobian(x, a, b, c):
    e = np.exp(b - c * x)
    d = 1 / (1 + e)
    return np.column_stack([d, -a * e * d * d, a * x * e * d * d])


logistic = curve(lambda x, a, b, c: a / (1 + np.exp(b - c * x)), logistic_jacobian)


def rational_jacobian(x, b0, b1, c1):
    d = 1 / (1 + c1 * x)
    return np.column_stack([d, x * d, -(b0 + b1 * x) * x * d * d])


rational = curve(lambda x, b0, b1, c1: (b0 + b1 * x) / (1 + c1 * x), rational_jacobian)


def hats(x, y, pieces):
    order = np.argsort(x)
    x, y = x[order], y[order]
    knots = np.quantile(x, np.linspace(0, 1, pieces + 1))
    return scipy.interpolate.LSQUnivariateSpline(x, y, knots[1:-1], k=1)


def bins(s, label, count):
    at = np.minimum((s * count).astype(int), count - 1)
    return np.bincount(at, label, count) / np.maximum(np.bincount(at, minlength=count), 1)


def venn_abers(score, label):
    p = 1 / (1 + np.exp(-score))
    va = VennAbers()
    va.fit(np.column_stack([1 - p, p]), label.astype(int))
    return va


# method, function, true parameters, and as read off a plot
NONLINEAR = [
    ("rational:1/1", rational, [5.0, 2.0, 0.05], [4.0, 1.5, 0.04]),
    ("exponential", exponential, [3.0, 1.5, 0.08], [2.0, 1.0, 0.1]),
    ("saturation", saturation, [90.0, 0.06], [100.0, 0.05]),
    ("power", power, [0.7, 1.4], [1.0, 1.2]),
    ("logistic", logistic, [80.0, 4.0, 0.2], [90.0, 3.0, 0.15]),
]


def peers(v, p):
    """(method, library, function without arguments) of each row"""
    x, one = v["x1"], np.ones_like(v["x1"])
    line = np.column_stack([one, x])
    powers = np.column_stack([one, x, x**2, x**3])
    many = np.column_stack([one] + [v[f"x{i}"] for i in range(1, 7)])
    s, q, y = p["score"], p["probability"], p["label"]
    rows = [
        ("offset", "statsmodels OLS", lambda: ols(one, v["line"] - x)),
        ("affine", "statsmodels OLS", lambda: ols(line, v["line"])),
        ("affine", "scipy linregress, no covariance or statistics", lambda: scipy.stats.linregress(x, v["line"])),
        ("polynomial:3", "statsmodels OLS", lambda: ols(powers, v["cubic"])),
        ("multilinear", "statsmodels OLS", lambda: ols(many, v["sum"])),
        ("deming", "scipy ODR", lambda: odr(x, v["line"], sx=1.0, sy=1.0)),
        ("york", "scipy ODR", lambda: odr(x, v["line"], sx=v["ux"], sy=v["uy"])),
        ("theil-sen", "scipy theilslopes", lambda: scipy.stats.theilslopes(v["line"], x, method="joint")),
        ("huber", "statsmodels RLM", lambda: sm.RLM(v["line"], line, M=sm.robust.norms.HuberT()).fit().bse),
        ("piecewise:8", "scipy LSQUnivariateSpline", lambda: hats(x, v["cubic"], 8)),
        ("isotonic", "scikit-learn", lambda: IsotonicRegression(out_of_bounds="clip").fit(x, v["line"])),
    ]
    for name, function, true, read in NONLINEAR:
        data = v[name.split(":")[0]]
        of = lambda start, function=function, data=data: lambda: function(x, data, start)  # noqa: E731
        found, exact = of(read)()[0], of(true)()[0]
        assert np.allclose(found, exact, rtol=1e-4), f"{name}: the starting values lead elsewhere"
        rows.append((name, "scipy curve_fit, started as read off a plot", of(read)))
        rows.append((name, "scipy curve_fit, started at the true parameters", of(true)))
    return rows + [
        ("platt", "scikit-learn", lambda: _SigmoidCalibration().fit(s, y)),
        ("temperature", "scikit-learn", lambda: _TemperatureScaling().fit(s, y)),
        ("beta", "betacal", lambda: BetaCalibration(parameters="abm").fit(q.reshape(-1, 1), y)),
        ("histogram:15", "scikit-learn calibration_curve", lambda: calibration_curve(y, q, n_bins=15)),
        ("histogram:15", "numpy bincount, nothing checked", lambda: bins(q, y, 15)),
        ("venn-abers", "venn-abers", lambda: venn_abers(s, y)),
    ]


def median_time(function):
    """Seconds: the median of at least 5 runs and half a second, after one run to warm up."""
    function()
    times = []
    while len(times) < 5 or (sum(times) < 0.5 and len(times) < 1000):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
        if sum(times) > 60:
            break
    return float(np.median(times))


def own_time(folder, method):
    name = method.replace("/", "_").replace(":", "_")
    for candidate in (method, name):
        path = folder / candidate / "new" / "estimates.json"
        if path.exists():
            return json.loads(path.read_text())["median"]["point_estimate"] * 1e-9
    sys.exit(f"{folder}: no estimate of `{method}`; run `cargo bench --bench fit` first")


def main():
    data, criterion = map(pathlib.Path, sys.argv[1:3])
    table = peers(columns(data / "measurement.csv"), columns(data / "probability.csv"))
    print("| fit of 10,000 pairs | calibd, ms | peer, ms | ratio | peer |")
    print("| --- | --- | --- | --- | --- |")
    for method, library, function in table:
        own, other = own_time(criterion, method), median_time(function)
        print(f"| {method} | {own * 1e3:.3f} | {other * 1e3:.3f} | {other / own:.1f} | {library} |", flush=True)


if __name__ == "__main__":
    main()
