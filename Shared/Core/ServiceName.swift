/// The six services of the suite. The raw value is the word used everywhere: folder, executable, unit file, socket,
/// log label and metric.
package enum ServiceName: String, CaseIterable, Sendable, Codable {
    case edge
    case router
    case retrieval
    case session
    case credentials
    case telemetry

    /// The name of the executable, `bulkhead-<service>`.
    package var executable: String { "bulkhead-\(rawValue)" }
}
