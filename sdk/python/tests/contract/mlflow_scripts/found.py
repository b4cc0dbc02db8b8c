"""Runs are found by every field, in every order, page by page."""

import mlflow
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException

client = MlflowClient()
experiment = client.create_experiment("many")
ids = []
for n in range(25):
    id = client.create_run(
        experiment, start_time=1000 + n, run_name=f"{n:02}", tags={"kind": "odd" if n % 2 else "even"}
    ).info.run_id
    ids.append(id)
    if n != 7:
        client.log_metric(id, "auc", n % 5)
    client.log_metric(id, "an odd one", float("nan") if n == 3 else -n)
    client.log_param(id, "depth", n)
    client.set_terminated(id, "FAILED" if n == 4 else "FINISHED")


def names(wanted="", *order, **more):
    return [run.info.run_name for run in client.search_runs([experiment], wanted, order_by=list(order), **more)]


everything = [f"{n:02}" for n in range(25)]
assert names() == everything[::-1], "the newest come first"
assert names("", "attributes.start_time ASC") == everything
best = names("", "metrics.auc DESC", "attributes.start_time ASC")
assert best[:6] == ["04", "09", "14", "19", "24", "03"] and best[-1] == "07", best
assert names("", "metrics.auc ASC")[-1] == "07", "what has no such metric comes last, both ways"
for order in ["ASC", "DESC"]:
    assert names("", f"metrics.`an odd one` {order}")[-1] == "03", "no number comes last, both ways"
assert names("", "params.depth ASC")[:4] == ["00", "01", "10", "11"], "parameters are texts"
assert names("", "tags.kind ASC", "attributes.start_time DESC")[:3] == ["24", "22", "20"]
for wanted, found in [
    ("attributes.status = 'FAILED'", ["04"]),
    ("attributes.run_name LIKE '1%' AND metrics.auc < 1", ["15", "10"]),
    ("attributes.start_time > 1022", ["24", "23"]),
    ("params.depth IN ('1', '2')", ["02", "01"]),
    (f"attributes.run_id IN ('{ids[3]}', '{ids[9]}')", ["09", "03"]),
    ("tags.kind = 'even' AND metrics.auc >= 4", ["24", "14", "04"]),
]:
    assert names(wanted) == found, (wanted, names(wanted))
seen, lengths, token = [], [], None
while token or not lengths:
    page = client.search_runs(
        [experiment], "tags.kind = 'odd'", max_results=5, order_by=["metrics.auc DESC"], page_token=token
    )
    seen += [run.info.run_name for run in page]
    lengths.append(len(page))
    token = page.token
assert lengths == [5, 5, 2] and sorted(seen) == everything[1::2], (lengths, seen)
frame = mlflow.search_runs([experiment], order_by=["metrics.auc DESC"], max_results=3)
assert len(frame) == 3 and set(frame["metrics.auc"]) == {4.0}, frame
client.delete_run(ids[0])
assert (
    "00" not in names()
    and names(run_view_type=ViewType.DELETED_ONLY) == ["00"]
    and len(names(run_view_type=ViewType.ALL)) == 25
)
for wanted, order in [
    ("metrics.auc = 'a'", ""),
    ("params.depth > 3", ""),
    ("nothing.x = 1", ""),
    ("metrics.auc >", ""),
    ("", "nothing.x"),
]:
    try:
        names(wanted, *filter(None, [order]))
        raise SystemExit(f"{wanted}{order} was understood")
    except MlflowException as refused:
        assert refused.error_code == "INVALID_PARAMETER_VALUE", refused
print("ok")
