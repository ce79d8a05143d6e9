/// What `bulkhead-router target enable|disable` asks.
package struct TargetSwitch: Codable, Sendable {
    /// `provider/model`.
    package var target: String
    package var isDisabled: Bool

    package init(target: String, isDisabled: Bool) {
        self.target = target
        self.isDisabled = isDisabled
    }
}

/// What is switched off, and what that leaves.
package struct TargetSwitchReport: Codable, Sendable {
    /// Whether the verb changed anything: switching twice is no error.
    package var changed: Bool
    /// Targets that are off, in order of name.
    package var disabled: [String]
    /// Of them those the configuration no longer names: they take effect when they are configured again.
    package var unconfigured: [String]
    /// Models none of whose targets is on: requests for them fail with `target_disabled`.
    package var modelsWithoutTarget: [String]

    package init(_ settings: RouterSettings, _ switches: TargetSwitches, changed: Bool = false) {
        self.changed = changed
        disabled = switches.disabled
        let names = TargetNames(settings)
        unconfigured = disabled.filter { !names.knows($0) }
        modelsWithoutTarget = settings.table.names.filter { name in
            guard let targets = try? settings.table.route(name).targets, !targets.isEmpty else { return false }
            return targets.allSatisfy { switches.isDisabled($0.label) }
        }
    }
}
