"""The metrics, read by the client library of Prometheus, which is strict about OpenMetrics."""

import unittest
import urllib.request

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client import parser as text

from server import chat


def metrics(server, **headers):
    url = f"http://{server.host}/metrics"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


class Metrics(unittest.TestCase):
    def test_both_formats_say_the_same(self):
        with chat() as server, server.connect() as wire:
            wire.upgraded("/ws/den?token=ann")
            server.reaches(total_connections=1)
            kind, body = metrics(server)
            self.assertEqual(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8")
            ours = list(openmetrics.text_string_to_metric_families(body))
            kind, body = metrics(server, Accept="text/plain")
            self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
            older = list(text.text_string_to_metric_families(body))
            self.assertEqual(
                [(family.name, family.type) for family in ours],
                [(family.name, family.type) for family in older],
            )
            series = lambda all: [(it.name, it.labels) for family in all for it in family.samples]
            self.assertEqual(series(ours), series(older))
            values = {it.name: it.value for family in ours for it in family.samples if not it.labels}
            self.assertEqual(values["switchboard_connections"], 1)
            self.assertEqual(values["switchboard_rooms"], 1)


if __name__ == "__main__":
    unittest.main()
