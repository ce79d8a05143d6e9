import BulkheadConfig

/// The section `credentials.audit`.
package struct AuditConfiguration: Sendable, Equatable {
    /// The file with the key that records are authenticated with; nil: `audit.key` in the state folder.
    package var keyFile: String?
    /// How large the trail may grow.
    package var limits: AuditLimits

    init(section: ConfigSection) {
        keyFile = section.optionalString("key_file")
        let usual = AuditLimits()
        limits = AuditLimits(
            fileBytes: section.size("max_file", default: usual.fileBytes, in: 1 << 20 ... 4 << 30),
            kept: section.int("keep", default: usual.kept, in: 1 ... 10_000))
    }
}

extension AuditTrail {
    convenience init(
        _ configuration: AuditConfiguration, folder: String, forward: @escaping @Sendable (AuditEvent, UInt64, Int64) -> Void
    ) throws {
        try self.init(folder: folder, keyPath: configuration.keyFile, limits: configuration.limits, forward: forward)
    }
}
