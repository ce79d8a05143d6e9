import BulkheadConfig
import BulkheadCore
import BulkheadObservability
import Foundation
import Logging
import RouterService
import Testing

struct TargetSwitchTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "switches-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private var path: String { folder.appending(path: "targets.json").path }

    @Test("without a file every target is on, and nothing is wrong")
    func missing() {
        let switches = TargetSwitches.open(path: path)
        #expect(switches.disabled.isEmpty && switches.problem == nil && !switches.isDisabled("a/m"))
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test("what was switched off is off after a restart, and what was switched on again is on")
    func survives() throws {
        let switches = TargetSwitches.open(path: path)
        #expect(try switches.set("a/m", disabled: true))
        #expect(try switches.set("b/vendor/model", disabled: true))
        #expect(TargetSwitches.open(path: path).disabled == ["a/m", "b/vendor/model"])
        #expect(try switches.set("a/m", disabled: false))
        let again = TargetSwitches.open(path: path)
        #expect(!again.isDisabled("a/m") && again.isDisabled("b/vendor/model"))
    }

    @Test("switching twice changes nothing, and is no error")
    func idempotent() throws {
        let switches = TargetSwitches.open(path: path)
        #expect(try switches.set("a/m", disabled: true))
        #expect(try !switches.set("a/m", disabled: true))
        #expect(try switches.set("a/m", disabled: false))
        #expect(try !switches.set("a/m", disabled: false))
    }

    @Test(
        "a file that is not what the router writes is told, put aside, and leaves every target on",
        arguments: [
            "", "{", "null", "[\"a/m\"]", "{\"disabled\": \"a/m\", \"version\": 1}", "{\"disabled\": [\"a/m\"], \"version\": 2}",
            "\u{0}\u{1}",
        ])
    func damaged(text: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
        let switches = TargetSwitches.open(path: path)
        #expect(switches.disabled.isEmpty)
        #expect(switches.problem?.contains(path) == true)
        #expect(try String(contentsOfFile: path + ".damaged", encoding: .utf8) == text)
        // Any switch writes a good file, even one that changes nothing.
        #expect(try !switches.set("a/m", disabled: false))
        #expect(switches.problem == nil && TargetSwitches.open(path: path).problem == nil)
    }

    @Test("when the file cannot be written nothing is switched")
    func unwritable() throws {
        let switches = TargetSwitches.open(path: folder.appending(path: "gone/targets.json").path)
        let error = #expect(throws: CallError.self) { _ = try switches.set("a/m", disabled: true) }
        #expect(error?.reason == "state_unavailable")
        #expect(!switches.isDisabled("a/m"))
    }

    @Test("a left-over of an interrupted write does not stand in the way")
    func leftOver() throws {
        try Data("half".utf8).write(to: URL(filePath: path + ".new"))
        let switches = TargetSwitches.open(path: path)
        #expect(try switches.set("a/m", disabled: true))
        #expect(TargetSwitches.open(path: path).disabled == ["a/m"])
    }

    @Test("more targets than the bound cannot be switched off")
    func bound() throws {
        let labels = (0 ..< TargetSwitches.capacity).map { "\"p/\($0)\"" }.joined(separator: ",")
        try Data("{\"disabled\": [\(labels)], \"version\": 1}".utf8).write(to: URL(filePath: path))
        let switches = TargetSwitches.open(path: path)
        #expect(switches.disabled.count == TargetSwitches.capacity)
        let error = #expect(throws: CallError.self) { _ = try switches.set("one/more", disabled: true) }
        #expect(error?.code == .resourceExhausted)
        #expect(try switches.set("p/7", disabled: false))
    }

    static let settings = """
        router:
          providers:
            - { name: openai, destination: openai, dialect: openai, serve: all }
            - { name: local, destination: local, dialect: openai }
            - { name: embedder, dialect: builtin }
          models:
            - { name: assistant, targets: [{ provider: openai, model: gpt-5-mini }, { provider: local, model: llama }] }
            - { name: small, targets: [{ provider: local, model: llama }] }
            - { name: "qwen-*", targets: [{ provider: local }] }
            - { name: "big-*", targets: [{ provider: local, model: biggest }] }
            - { name: vectors, targets: [{ provider: embedder, model: builtin }] }
        """

    private func loaded() throws -> RouterSettings {
        RouterSettings(
            try loadConfiguration(RouterConfiguration.self, text: Self.settings, file: "t.yaml").service, counter: TokenCounter(),
            unpriced: UnknownPrices(registry: MetricsRegistry(service: "router"), logger: Logger(label: "test")))
    }

    @Test(
        "targets are known by the configuration, by a pattern, and by a provider that serves all of its names",
        arguments: [
            ("openai/gpt-5-mini", true), ("local/llama", true), ("local/biggest", true), ("local/qwen-7b", true),
            ("openai/gpt-4o", true), ("embedder/all-MiniLM-L6-v2", true), ("openai/claude-sonnet-5", false),
            ("local/gpt-4o", false),
            ("nobody/llama", false), ("local/", false), ("local", false), ("", false),
        ])
    func known(label: String, isKnown: Bool) throws {
        #expect(TargetNames(try loaded()).knows(label) == isKnown)
    }

    @Test("an unknown target is refused with the nearest")
    func nearest() throws {
        let names = TargetNames(try loaded())
        let error = #expect(throws: CallError.self) { try names.require("local/lama") }
        #expect(error?.code == .notFound && error?.message.contains("local/llama") == true)
    }

    @Test("the report names the models that are left without a target")
    func report() throws {
        let switches = TargetSwitches()
        _ = try switches.set("local/llama", disabled: true)
        _ = try switches.set("former/model", disabled: true)
        let report = TargetSwitchReport(try loaded(), switches, changed: true)
        #expect(report.modelsWithoutTarget == ["small"] && report.unconfigured == ["former/model"])
    }
}
