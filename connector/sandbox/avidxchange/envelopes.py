"""The reply to a batch in every legal shape (contract 2.5 to 2.7), chosen by the batch's own id.

One shape holds for all answers about a batch, so reading it again (R10) gives the same document. Whoever reads them
must go by the echoed external id; where echoes are missing nothing is shuffled, so that position tells.
"""

from __future__ import annotations

from connector.sandbox.avidxchange.chance import happens, order
from connector.sandbox.avidxchange.submissions import Submission, Verdict
from connector.sandbox.avidxchange.wire import Row, texts

#: Batch status numbers; only 2 is in the contract, the others are assumed.
PROCESSING, EXCEPTIONS, CLOSED, FAILED = (
    {"Id": 1, "Description": "Processing"},
    {"Id": 2, "Description": "Processing with Exceptions"},
    {"Id": 3, "Description": "Closed"},
    {"Id": 4, "Description": "Failed"},
)


def batch_reply(batch: Submission, *, awkward: bool, salt: int) -> Row:
    """Return the reply document of a batch, with its verdicts once there are some."""
    body: Row = {
        "BatchId": {"Value": batch.client_id},
        "Id": {"Value": batch.avid_id, "SchemeOwner": "AvidXchange"},
        "Status": _status(batch),
    }
    if batch.verdicts is None:
        return body if awkward and happens(50, salt, batch.client_id, "no results") else {**body, "Results": []}
    if not awkward:
        return {**body, "Results": [_result(verdict) for verdict in batch.verdicts]}
    if happens(20, salt, batch.client_id, "no status"):
        del body["Status"]
    return {**body, "Results": _awkward_results(batch.verdicts, (salt, batch.client_id))}


def _status(batch: Submission) -> Row:
    if batch.verdicts is None:
        return PROCESSING
    good = sum(verdict.successful for verdict in batch.verdicts)
    if good == len(batch.verdicts):
        return CLOSED
    return EXCEPTIONS if good else FAILED


def _awkward_results(verdicts: list[Verdict], chosen_by: tuple[object, ...]) -> Row | list[Row]:
    silent = happens(20, *chosen_by, "silent")
    nameless = any("ExternalId" not in verdict.item for verdict in verdicts)
    results = []
    for place, verdict in enumerate(verdicts):
        result = _result(verdict)
        if silent and happens(70, *chosen_by, "silent item", place):
            result["Item"] = {name: result["Item"][name] for name in ("Id", "Status") if name in result["Item"]}
        if happens(30, *chosen_by, "text flags"):
            result["Successful"] = "true" if verdict.successful else "false"
        if len(verdict.errors) == 1 and happens(40, *chosen_by, "one error"):
            result["Errors"] = result["Errors"][0]
        if verdict.successful and happens(30, *chosen_by, "no errors"):
            del result["Errors"]
        if happens(30, *chosen_by, "text numbers"):
            result["Item"] = texts(result["Item"])
        if happens(30, *chosen_by, "more"):
            result["ProcessedBy"] = "sandbox"
        results.append(result)
    if not silent and not nameless and happens(60, *chosen_by, "shuffled"):
        results = [results[index] for index in order(len(results), *chosen_by)]
    if len(results) == 1 and happens(50, *chosen_by, "object"):
        return results[0]
    return results


def _result(verdict: Verdict) -> Row:
    return {"Successful": verdict.successful, "Item": dict(verdict.item), "Errors": list(verdict.errors)}
