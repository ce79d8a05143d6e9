import BulkheadConfig
import BulkheadCore
import BulkheadIPC
import BulkheadJSON
import EdgeService
import Testing

@Suite("Operations")
struct OperationsTests {
    private func document(_ change: (inout [ServiceName: LinkSnapshot]) -> Void = { _ in }) -> ReadyDocument {
        let peers: [ServiceName] = [.router, .session, .retrieval, .credentials, .telemetry]
        var links: [ServiceName: LinkSnapshot] = [:]
        for peer in peers {
            links[peer] = LinkSnapshot(peer: peer.rawValue, state: .ready)
            links[peer]?.peerHealth = "ready"
        }
        change(&links)
        return ReadyDocument(
            own: .init(name: "edge", state: .ready, since: 0), peers: peers.compactMap { peer in links[peer].map { (peer, $0) } },
            stores: [("durable", "sqlite"), ("fast", "local")], now: 1_000_000_000)
    }

    @Test("All well is ready, with all six services and both stores")
    func ready() throws {
        let body = try JSON.parse(document().body())
        #expect(document().httpStatus == 200 && body["status"] == "ready" && body["degraded"] == [])
        #expect(body["services"]?.object?.count == 6 && body["stores"]?["durable"]?["kind"] == "sqlite")
        #expect(body["services"]?["router"] == ["state": "ready", "since": "2001-09-09T01:46:40Z", "reason": ""])
    }

    @Test(
        "A missing part is 503 when no answer can come without it, else degraded",
        arguments: [
            (.router, .down, nil, 503, "down"), (.credentials, .suspect, nil, 503, "down"), (.session, .down, nil, 200, "down"),
            (.telemetry, .connecting, nil, 200, "down"), (.retrieval, .suspect, "ready", 200, "down"),
            (.router, .draining, nil, 503, "draining"),
            (.router, .incompatible, nil, 503, "down"), (.router, .ready, "degraded", 200, "degraded"),
            (.credentials, .ready, "notServing", 503, "down"),
            (.credentials, .ready, "starting", 503, "down"), (.router, .ready, nil, 503, "down"),
        ] as [(ServiceName, LinkState, String?, Int, String)])
    func missing(_ service: ServiceName, _ state: LinkState, _ health: String?, _ status: Int, _ told: String) throws {
        let document = document { links in
            links[service] = LinkSnapshot(peer: service.rawValue, state: state)
            links[service]?.peerHealth = health
        }
        let body = try JSON.parse(document.body())
        #expect(document.httpStatus == status && body["status"]?.string == (status == 503 ? "unavailable" : "degraded"))
        #expect(body["services"]?[service.rawValue]?["state"]?.string == told && body["degraded"] == [.string(service.rawValue)])
    }

    @Test("A store is degraded since a service that answers said so, and ready again when it says no more")
    func stores() throws {
        let degraded = document { links in
            links[.router]?.peerHealth = "degraded"
            links[.router]?.peerReason = "redis is away"
            links[.router]?.peerFailingStores = ["fast"]
            links[.router]?.stateSeconds = 600
            links[.router]?.peerHealthSeconds = 40
        }
        let body = try JSON.parse(degraded.body())
        #expect(degraded.httpStatus == 200 && body["degraded"] == ["router", "local"])
        #expect(
            body["stores"]?["fast"] == [
                "kind": "local", "state": "degraded", "since": "2001-09-09T01:46:00Z", "reason": "router cannot use it",
            ])
        #expect(
            body["services"]?["router"]?["since"] == "2001-09-09T01:46:00Z" && body["stores"]?["durable"]?["state"] == "ready")
        let gone = document { links in
            links[.router]?.state = .down
            links[.router]?.peerFailingStores = ["fast"]
        }
        #expect(try JSON.parse(gone.body())["stores"]?["fast"]?["state"] == "ready")
    }

    @Test("Families of several processes are joined, HELP and TYPE stand once")
    func metrics() {
        var page = MetricsPage()
        page.addUp([("edge", true), ("router", false)])
        page.add(
            "# HELP a_total A.\n# TYPE a_total counter\na_total{service=\"edge\"} 1\n# HELP h H.\n# TYPE h histogram\nh_sum{s=\"e\"} 2\nh_count{s=\"e\"} 1\n"
        )
        page.add(
            "# HELP a_total A!\n# TYPE a_total counter\na_total{service=\"router\"} 2\n# TYPE bulkhead_up gauge\nbulkhead_up{service=\"router\"} 1\n"
        )
        #expect(
            page.text() == """
                # HELP bulkhead_up Whether the service answered.
                # TYPE bulkhead_up gauge
                bulkhead_up{service="edge"} 1
                bulkhead_up{service="router"} 0
                # HELP a_total A.
                # TYPE a_total counter
                a_total{service="edge"} 1
                a_total{service="router"} 2
                # HELP h H.
                # TYPE h histogram
                h_sum{s="e"} 2
                h_count{s="e"} 1

                """)
    }

    @Test("Production refuses an open door, and every problem is told")
    func configuration() throws {
        let text =
            "suite: { environment: production }\nedge:\n  listen: 0.0.0.0:8080\n  auth: { mode: none }\n  trusted_proxies: [10.0.0.0]\n"
        #expect { try loadConfiguration(EdgeConfiguration.self, text: text, file: "b.yaml") } throws: { error in
            let told = (error as? ConfigProblems)?.description ?? ""
            return told.contains("edge.auth.mode") && told.contains("production") && told.contains("10.0.0.0/8")
        }
        let waits = "edge: { queue: { max_wait: 2s, max_limit_wait: 3s } }\n"
        #expect { try loadConfiguration(EdgeConfiguration.self, text: waits, file: "b.yaml") } throws: { error in
            (error as? ConfigProblems)?.problems.map(\.key) == ["edge.queue.max_limit_wait"]
        }
        let short = try loadConfiguration(EdgeConfiguration.self, text: "edge: { queue: { max_wait: 500ms } }\n", file: "b.yaml")
        #expect(short.service.queueMaxWait == .milliseconds(500))
        let good = try loadConfiguration(EdgeConfiguration.self, text: "edge: { max_json: 1MiB }\n", file: "b.yaml")
        #expect(good.service.maxJSON == 1 << 20 && good.service.auth == .keys && good.service.listen.port == 8080)
    }
}
