import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import RouterService

struct TargetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "target", abstract: "Switches targets off and on; what is off stays off over restarts.",
        discussion: "Example:\n  bulkhead-router target disable openai/gpt-5-mini",
        subcommands: [TargetList.self, TargetEnable.self, TargetDisable.self])
}

struct TargetList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the targets that are switched off.",
        discussion: "Example:\n  bulkhead-router target list --json")

    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let told = try await AdminConnection(.router, shared).invoke("target.list", NoValue(), as: TargetSwitchReport.self)
        try show(told, shared) { report in
            report.disabled.isEmpty
                ? "all targets are on"
                : (["off:"] + report.disabled.map { "  \($0)" } + report.notes).joined(
                    separator: "\n")
        }
    }
}

struct TargetEnable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable", abstract: "Lets requests go to a target again.",
        discussion: "Example:\n  bulkhead-router target enable openai/gpt-5-mini")

    @OptionGroup var shared: SharedOptions
    @Argument(help: "PROVIDER/MODEL, as `models` shows it.") var target: String

    func run() async throws { try await flip(target, isDisabled: false, shared) }
}

struct TargetDisable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable", abstract: "Keeps requests away from a target, until it is enabled.",
        discussion: "Requests that run are finished.\n\nExample:\n  bulkhead-router target disable openai/gpt-5-mini")

    @OptionGroup var shared: SharedOptions
    @Argument(help: "PROVIDER/MODEL, as `models` shows it.") var target: String

    func run() async throws { try await flip(target, isDisabled: true, shared) }
}

private func flip(_ target: String, isDisabled: Bool, _ shared: SharedOptions) async throws {
    let told = try await AdminConnection(.router, shared).invoke(
        "target.set", TargetSwitch(target: target, isDisabled: isDisabled), as: TargetSwitchReport.self)
    try show(told, shared) { report in
        let state = isDisabled ? "off" : "on"
        return (["\(target) \(report.changed ? "is \(state) now" : "was \(state) already")"] + report.notes).joined(
            separator: "\n")
    }
}

extension TargetSwitchReport {
    fileprivate var notes: [String] {
        (modelsWithoutTarget.isEmpty
            ? [] : ["no target is on for \(modelsWithoutTarget.joined(separator: ", ")): requests get 503 target_disabled"])
            + (unconfigured.isEmpty ? [] : ["not configured at present: \(unconfigured.joined(separator: ", "))"])
    }
}
