import BulkheadObservability
import Testing

@Suite("The metrics of a process as text") struct MetricsTests {
    @Test("each family has its help, its type and its series, in a stable order")
    func families() {
        let metrics = MetricsRegistry(service: "edge")
        metrics.gauge("queue", help: "Requests that wait.").set(-3)
        metrics.counter("requests", help: "Requests served.", labels: [("route", "/v1/models")]).add(2)
        metrics.counter("requests", help: "Requests served.", labels: [("route", "/health")]).add()
        #expect(
            metrics.render() == """
                # HELP bulkhead_queue Requests that wait.
                # TYPE bulkhead_queue gauge
                bulkhead_queue{service="edge"} -3
                # HELP bulkhead_requests_total Requests served.
                # TYPE bulkhead_requests_total counter
                bulkhead_requests_total{service="edge",route="/v1/models"} 2
                bulkhead_requests_total{service="edge",route="/health"} 1

                """)
    }

    @Test("the same name and labels are the same instrument")
    func identity() {
        let metrics = MetricsRegistry(service: "edge")
        metrics.counter("calls", help: "Calls.", labels: [("peer", "router")]).add(1)
        metrics.counter("calls", help: "Calls.", labels: [("peer", "router")]).add(1)
        #expect(metrics.render().contains("bulkhead_calls_total{service=\"edge\",peer=\"router\"} 2\n"))
    }

    @Test(
        "a label's value cannot leave its quotes or its line",
        arguments: [
            ("a\"b", "a\\\"b"), ("a\\b", "a\\\\b"), ("a\nb", "a\\nb"), ("\"} 1\nforged{x=\"", "\\\"} 1\\nforged{x=\\\""),
            ("ü{}=,", "ü{}=,"),
            ("\\n", "\\\\n"),
        ])
    func labelEscaping(_ value: String, _ escaped: String) {
        let metrics = MetricsRegistry(service: "edge")
        metrics.counter("odd", help: "Odd.", labels: [("value", value)]).add(1)
        #expect(metrics.render().split(separator: "\n").last == "bulkhead_odd_total{service=\"edge\",value=\"\(escaped)\"} 1")
    }

    @Test("a line end in a label, however it is made, does not start a new line", arguments: ["a\r\nb", "a\n\u{301}b"])
    func combinedLineEnds(_ value: String) {
        let metrics = MetricsRegistry(service: "edge")
        metrics.counter("odd", help: "Odd.", labels: [("value", value)]).add(1)
        #expect(metrics.render().utf8.count { $0 == UInt8(ascii: "\n") } == 3, "\(metrics.render())")
    }

    @Test("a histogram has cumulative buckets, a sum in seconds and a count")
    func histogram() {
        let metrics = MetricsRegistry(service: "edge")
        let timing = metrics.timing("call", help: "Calls.")
        for microseconds: Int64 in [50, 100, 101, 700_000, 1_000_000_000] { timing.record(microseconds: microseconds) }
        let lines = metrics.render().split(separator: "\n")
        #expect(lines.contains("bulkhead_call_seconds_bucket{service=\"edge\",le=\"0.0001\"} 2"))
        #expect(lines.contains("bulkhead_call_seconds_bucket{service=\"edge\",le=\"0.00025\"} 3"))
        #expect(lines.contains("bulkhead_call_seconds_bucket{service=\"edge\",le=\"1.0\"} 4"))
        #expect(lines.contains("bulkhead_call_seconds_bucket{service=\"edge\",le=\"100.0\"} 4"))
        #expect(lines.contains("bulkhead_call_seconds_bucket{service=\"edge\",le=\"+Inf\"} 5"))
        #expect(lines.contains("bulkhead_call_seconds_count{service=\"edge\"} 5"))
        #expect(lines.contains { $0.hasPrefix("bulkhead_call_seconds_sum{service=\"edge\"} 1000.7") })
    }

    @Test("beyond ten thousand series the rest shares one, marked as overflow")
    func bound() {
        let metrics = MetricsRegistry(service: "edge")
        for index in 0 ..< 10_050 { metrics.counter("many", help: "Many.", labels: [("index", "\(index)")]).add(1) }
        let lines = metrics.render().split(separator: "\n")
        #expect(lines.count <= 10_003)
        #expect(lines.contains("bulkhead_many_total{service=\"edge\",overflow=\"true\"} 50"))
    }
}
