import BulkheadConfig

/// The section `telemetry`.
package struct TelemetryConfiguration: ServiceConfiguration {
    package static let sectionName = "telemetry"

    /// What of prompts and answers is kept beside the numbers.
    package enum ContentCapture: String, CaseIterable, Sendable {
        case off
        case redacted
        case full
    }

    /// When an alert is raised; nil: never.
    package struct Alerts: Sendable, Equatable {
        package var latencyP95: Duration?
        /// Share of requests that fail, 0 … 1.
        package var errorRate: Double?
        package var costPerDayUSD: Double?
        /// The destination that is told.
        package var webhookDestination: String?

        /// No alerts, or those given.
        package init(
            latencyP95: Duration? = nil, errorRate: Double? = nil, costPerDayUSD: Double? = nil, webhookDestination: String? = nil
        ) {
            self.latencyP95 = latencyP95
            self.errorRate = errorRate
            self.costPerDayUSD = costPerDayUSD
            self.webhookDestination = webhookDestination
        }
    }

    /// How long single requests are kept.
    package var spanRetention: Duration
    /// How long sums by the minute are kept.
    package var rollupRetention: Duration
    package var contentCapture: ContentCapture
    /// The destination spans are sent on to; nil: none.
    package var exportDestination: String?
    package var alerts: Alerts

    package init(section: ConfigSection, suite: SuiteConfiguration) {
        let day = Duration.seconds(86_400)
        let retention = section.section("retention")
        spanRetention = retention.duration("spans", default: day * 14, in: .seconds(3600) ... day * 3650)
        rollupRetention = retention.duration("rollups", default: day * 400, in: .seconds(3600) ... day * 3650)
        contentCapture = section.choice("content_capture", default: .off)
        exportDestination = section.section("otlp_export").optionalString("destination")
        let alerts = section.section("alerts")
        self.alerts = Alerts(
            latencyP95: alerts.optionalDuration("latency_p95", in: .milliseconds(1) ... .seconds(3600)),
            errorRate: alerts.optionalDouble("error_rate", in: 0 ... 1),
            costPerDayUSD: alerts.optionalDouble("cost_per_day_usd", in: 0 ... 1_000_000_000),
            webhookDestination: alerts.optionalString("webhook_destination"))
    }
}
