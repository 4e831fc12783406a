"""A review waits in Prefect for hours: through a restart of the server and of the worker, and is committed once."""

import pytest

from tests.browser.reviews import Reviews

pytestmark = pytest.mark.prefect


@pytest.mark.slow  # a server and a worker are started twice: more than a minute
def test_a_review_outlives_server_and_worker_and_commits_once(reviews: Reviews):
    """The process ended when the run was suspended; days later another one goes on with what was said."""
    dream_id = reviews.dream()
    run = reviews.run("review", dream_id=dream_id)
    text, fields = reviews.shown(run)
    assert "**13 changes wait**" in text
    assert fields["reviewer"]["title"] == "Your name"
    reviews.site.stop()
    reviews.site.start()
    since = reviews.state(run)
    assert since["name"] == "Suspended"
    words = {"approve": "1, 7-8", "reject": "4", "reason": "one-off", "flag_12": "keep-second"}
    assert reviews.send(run, **words)["status"] == "ACCEPT"
    assert reviews.send(run, **words)["status"] == "ABORT", "a second reviewer is told that it does not wait"
    reviews.start_worker()
    assert reviews.wait(run, since["id"]) == "Suspended"
    assert reviews.committed(dream_id) == [1, 7, 8, 12]
    assert reviews.statuses(dream_id)[4] == "rejected"
    assert reviews.version() == 2
    assert [one.reviewer for one in reviews.decisions(dream_id)] == ["ada"] * 5
    text, _ = reviews.shown(run)
    assert "Committed 1, 7-8, 12 as version 2 of the store." in text
    assert reviews.resume(run, decision="leave all") == "Completed"
    assert reviews.version() == 2
