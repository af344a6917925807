#!/usr/bin/env python3
"""Makes the demo's two transforms and says what to expect of them. Needs numpy.

    python3 src/demo/data/fit.py --trim AirQualityUCI.csv   # once: cuts the published file down
    python3 src/demo/data/fit.py                            # writes the JSON files beside this one

The set is split in time: the first FIT rows make the fits, the rest is only looked at to score them.

factory.json, version 1: a line through two points, the hours of the first full day with the lowest and the
    highest response: what a hurried commissioning does. No residuals, so no uncertainty is stated.
fitted.json, version 2: reference on sensor by least squares, of the degree that blocked cross-validation
    chooses inside the fit rows: the lowest within one standard error of the best. The residuals of
    neighbouring hours resemble each other, so the covariance is Newey and West's with 48 hours' lag and the
    degrees of freedom count effective pairs, n (1 - r) / (1 + r), r their correlation over one hour.
expected.json: bias and RMSE of both on the later rows, to check the demo's table with.
"""

import argparse
import csv
import hashlib
import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
DATA = HERE / "uci_air_quality.csv"
VISIT = HERE / "uci_air_quality_visit.csv"
COLUMNS = ["Date", "Time", "CO(GT)", "PT08.S1(CO)", "T", "RH"]
ROWS, FIT, MISSING = 1500, 900, -200.0
# The hours of the technician's visit, counted from the beginning of the set.
VISITED = slice(2070, 2570)
BLOCKS, LAG = 6, 48


def trim(source):
    with open(source, newline="", encoding="latin-1") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    for path, part in [(DATA, rows[:ROWS]), (VISIT, rows[VISITED])]:
        lines = [";".join(row[name] for name in COLUMNS) for row in part]
        path.write_text("\n".join([";".join(COLUMNS), *lines]) + "\n", encoding="ascii")


def load():
    with open(DATA, newline="", encoding="ascii") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    number = lambda name: np.array([float(row[name].replace(",", ".")) for row in rows])
    return rows, number("PT08.S1(CO)"), number("CO(GT)")


def solve(x, y, degree):
    """Coefficients from the constant up, by QR on the centred and scaled variable."""
    centre, scale = x.mean(), x.std()
    fit = np.polynomial.Polynomial.fit(x, y, degree, domain=[centre - scale, centre + scale])
    return fit.convert().coef


def value(coefficients, x):
    return np.polynomial.polynomial.polyval(x, coefficients)


def cross_validation(x, y, use, degree):
    """RMSE on each of BLOCKS stretches of time, fitted on the others; mean and standard error."""
    scores = []
    for block in np.array_split(np.arange(FIT), BLOCKS):
        held = np.isin(np.arange(len(x)), block) & use
        coefficients = solve(x[use & ~held], y[use & ~held], degree)
        scores.append(np.sqrt(np.mean((value(coefficients, x[held]) - y[held]) ** 2)))
    return float(np.mean(scores)), float(np.std(scores, ddof=1) / np.sqrt(BLOCKS))


def newey_west(x, residuals, use, degree):
    """Covariance of the coefficients; missing hours count as zeros, so that lags are hours."""
    design = np.where(use, x, 0.0)[:, None] ** np.arange(degree + 1) * use[:, None]
    scores = design * np.where(use, residuals, 0.0)[:, None]
    middle = scores.T @ scores
    for lag in range(1, LAG + 1):
        cross = scores[lag:].T @ scores[:-lag]
        middle += (1 - lag / (LAG + 1)) * (cross + cross.T)
    bread = np.linalg.inv(design.T @ design)
    covariance = bread @ middle @ bread
    return (covariance + covariance.T) / 2


def lag_one(residuals, use):
    both = use[1:] & use[:-1]
    return float(np.corrcoef(residuals[1:][both], residuals[:-1][both])[0, 1])


def score(values, y, use):
    error = (values - y)[use]
    return {"n": int(use.sum()), "bias": float(error.mean()), "rmse": float(np.sqrt(np.mean(error**2)))}


def short(number):
    return float(f"{number:.12g}")


def artifact(version, pipeline, domain, uncertainty, limits, provenance):
    return {
        "schema": 1, "id": "co-demo", "epoch": 1, "version": version, "replaces": [],
        "target": {"fleet": "demo", "gateways": ["demo-gw"], "groups": [], "sensors": ["co-1"],
                   "models": [], "serials": [], "tags": {}},
        "quantity": "carbon monoxide mass concentration", "input_unit": "1", "output_unit": "mg/m3",
        "pipeline": pipeline, "cohorts": [], "domain": domain, "uncertainty": uncertainty, "limits": limits,
        "supersedes": [], "issued_at": "2026-11-22T00:00:00Z", "not_before": None,
        "expires": "2099-12-31T00:00:00Z", "rollout": None, "provenance": provenance,
    }


def provenance(method, pairs, comment):
    digest = hashlib.sha256(DATA.read_bytes()).hexdigest()
    return {"method": method, "pairs": pairs, "dataset_sha256": digest, "standards": [], "made_on": None,
            "session": None, "author": "calibd demo", "comment": comment}


def ranges(x, y, use):
    return [float(x[use].min()), float(x[use].max())], [0.0, float(y[use].max())]


def factory(rows, x, y, use):
    day = use & np.array([row["Date"] == "11/03/2004" for row in rows])
    hours = np.flatnonzero(day)
    low, high = hours[np.argmin(x[hours])], hours[np.argmax(x[hours])]
    gain = (y[high] - y[low]) / (x[high] - x[low])
    line = [short(y[low] - gain * x[low]), short(gain)]
    comment = ("a line through two hours of 2004-03-11, the lowest and the highest response; "
               "no residuals, so no uncertainty is stated")
    return line, artifact(
        1, [{"kind": "affine", "offset": line[0], "gain": line[1]}],
        {"input": [float(x[low]), float(x[high])], "output": None, "covariates": {}, "outside": "flag"},
        {"averaging": "1h"}, {"max_step": None, "monotone": True}, provenance("two points", 2, comment))


def fitted(x, y, use):
    scores = {degree: cross_validation(x, y, use, degree) for degree in (1, 2)}
    best = min(scores, key=lambda degree: scores[degree][0])
    degree = min(d for d in scores if scores[d][0] <= sum(scores[best]))
    coefficients = [short(c) for c in solve(x[use], y[use], degree)]
    residuals = y - value(coefficients, x)
    count, r = int(use.sum()), lag_one(residuals, use)
    effective = count * (1 - r) / (1 + r)
    covariance = [[short(c) for c in row] for row in newey_west(x, residuals, use, degree)]
    stage = ({"kind": "affine", "offset": coefficients[0], "gain": coefficients[1]} if degree == 1
             else {"kind": "polynomial", "coefficients": coefficients})
    stage["covariance"] = covariance
    measured, concentration = ranges(x, y, use)
    spread = float(np.sqrt(np.sum(residuals[use] ** 2) / (count - degree - 1)))
    comment = (f"reference on sensor, degree {degree} by blocked cross-validation "
               f"(RMSE {scores[1][0]:.3f} mg/m3 for 1, {scores[2][0]:.3f} for 2, standard error {scores[best][1]:.3f}); "
               f"{count} hourly pairs are worth {effective:.0f}; covariance by Newey and West, {LAG} h; "
               "neither drift, temperature nor the analyser's own uncertainty is in the stated one")
    made = artifact(
        2, [stage], {"input": measured, "output": concentration, "covariates": {}, "outside": "flag"},
        {"residual_std": short(spread), "degrees_of_freedom": round(effective) - degree - 1,
         "raw_std_at_fit": None, "reference_systematic": None, "averaging": "1h", "drift": None},
        {"max_step": 3.0, "monotone": degree == 1}, provenance("ols", count, comment))
    return coefficients, made, scores


def uncertainty(made, x):
    """u of the fitted values, as calibd propagates it: u^2 = s^2 + g' S g."""
    covariance = np.array(made["pipeline"][0]["covariance"])
    gradient = x[:, None] ** np.arange(len(covariance))
    return np.sqrt(made["uncertainty"]["residual_std"] ** 2 + np.einsum("ni,ij,nj->n", gradient, covariance, gradient))


def write(name, content):
    (HERE / name).write_text(json.dumps(content, indent=2) + "\n", encoding="ascii")


def main():
    parser = argparse.ArgumentParser(description="makes the demo's transforms")
    parser.add_argument("--trim", metavar="FILE", help="cut the published AirQualityUCI.csv down first")
    arguments = parser.parse_args()
    if arguments.trim:
        trim(arguments.trim)
    rows, x, y = load()
    paired = (x != MISSING) & (y != MISSING)
    early = paired & (np.arange(len(x)) < FIT)
    later = paired & ~early
    line, first = factory(rows, x, y, early)
    curve, second, scores = fitted(x, y, early)
    values, u = value(curve, x), uncertainty(second, x)
    low, high = second["domain"]["input"]
    bottom, top = second["domain"]["output"]
    outside = (x < low) | (x > high) | (values < bottom) | (values > top)
    write("factory.json", first)
    write("fitted.json", second)
    write("expected.json", {
        "rows": len(x), "fit_rows": FIT, "unit": "mg/m3",
        "missing": {"reference": int((y == MISSING).sum()), "sensor": int((x == MISSING).sum())},
        "cross_validation": {str(d): {"rmse": s[0], "standard_error": s[1]} for d, s in scores.items()},
        "fit": {"factory": score(value(line, x), y, early), "fitted": score(values, y, early)},
        "later": {"factory": score(value(line, x), y, later), "fitted": score(values, y, later)},
        "later_without_out_of_domain": {
            "factory": score(value(line, x), y, later & ~outside), "fitted": score(values, y, later & ~outside)},
        "later_fitted_within_2u": float(np.mean(np.abs(values - y)[later] <= 2 * u[later])),
        "later_fitted_u": [float(u[later].min()), float(u[later].max())],
        "later_fitted_out_of_domain": int((outside & later).sum()),
        "largest_step": float(np.max(np.abs(value(curve, np.array([low, high])) - value(line, np.array([low, high]))))),
    })


if __name__ == "__main__":
    main()
