import Foundation
import Testing

@Suite("The arrows between modules") struct ImportTests {
    static let services = ["Edge", "Router", "Retrieval", "Session", "Credentials", "Telemetry"]

    /// What each shared module may import of ours: the arrows of the tree, nothing else.
    static let arrows: [String: Set<String>] = [
        "Shared/Core": [],
        "Shared/Resilience": ["BulkheadCore"],
        "Shared/Config": ["BulkheadCore"],
        "Shared/JSON": ["CBulkheadJSON"],
        "Shared/Tokens": [],
        "Shared/HTTP": ["BulkheadCore", "BulkheadJSON"],
        "Shared/Coding": ["CZlib"],
        "Shared/Wire": ["CBulkheadWire", "CProtobufC"],
        "Shared/IPC": ["BulkheadCore", "BulkheadResilience", "BulkheadWire", "BulkheadProtosC", "CProtobufC", "CBulkheadSystem"],
        "Shared/Redis": ["BulkheadCore", "BulkheadConfig", "BulkheadResilience", "CHiredis"],
        "Shared/Observability": ["BulkheadCore"],
        "Shared/Postgres": ["BulkheadCore", "BulkheadConfig", "BulkheadResilience", "CLibpq"],
        "Shared/Store": ["BulkheadCore", "BulkheadConfig", "BulkheadResilience", "BulkheadPostgres", "CBulkheadSystem"],
        "Shared/ServiceKit": [
            "BulkheadCore", "BulkheadConfig", "BulkheadResilience", "BulkheadIPC", "BulkheadAPI", "BulkheadObservability",
            "CBulkheadSystem",
        ],
        "Shared/AdminCLI": [
            "BulkheadCore", "BulkheadConfig", "BulkheadResilience", "BulkheadIPC", "BulkheadAPI", "BulkheadServiceKit",
        ],
        "Protos/API": ["BulkheadCore", "BulkheadIPC", "BulkheadWire", "BulkheadProtosC", "CProtobufC"],
    ]

    /// The one place that may import each C module. Generated code stands beside the wrapper it is generated for.
    static let wrappers: [String: [String]] = [
        "CBulkheadWire": ["Shared/Wire"],
        "CProtobufC": ["Shared/Wire", "Shared/IPC/Generated", "Protos/API"],
        "BulkheadProtosC": ["Shared/IPC/Generated", "Protos/API/Generated"],
        "CBulkheadJSON": ["Shared/JSON"],
        "CHiredis": ["Shared/Redis"],
        "CLibpq": ["Shared/Postgres"],
        "CLibsecret": ["Services/Credentials/Sources/CredentialsService/Keychain"],
        // The tests pack what it unpacks.
        "CZlib": ["Shared/Coding", "Tests/Unit/CredentialsTests"],
        "COpenBLAS": ["Services/Retrieval/Sources/RetrievalService"],
        // Descriptors, locks, sd_notify: the few calls Swift cannot make. Socket credentials (IPC), process start (kit, suite).
        // Locked memory (credentials), the kind of a file system (store).
        "CBulkheadSystem": [
            "Shared/IPC", "Shared/ServiceKit", "Shared/Store", "Services/Suite/Sources/bulkhead",
            "Services/Credentials/Sources/CredentialsService",
        ],
        // Linked into bulkhead-credentials; nothing of it is called.
        "CBulkheadHardening": [],
    ]

    @Test("the tree is found") func tree() { #expect(SourceTree.files.count > 100) }

    @Test("no service imports another")
    func services() {
        let modules = Set(Self.services.map { "\($0)Service" })
        for file in SourceTree.files where !file.isTest {
            let home = Self.services.first { file.path.hasPrefix("Services/\($0)/") }
            for module in file.imports where modules.contains(module) {
                #expect(module == home.map { "\($0)Service" } && file.path.contains("/bulkhead-"), "\(file) imports \(module)")
            }
        }
    }

    @Test("shared modules import along the declared arrows only", arguments: arrows.keys.sorted())
    func arrows(_ folder: String) {
        for file in SourceTree.files where file.path.hasPrefix(folder + "/") {
            for module in file.imports where module.hasPrefix("Bulkhead") || module.hasPrefix("C") && Self.wrappers[module] != nil
            {
                #expect(Self.arrows[folder]?.contains(module) == true, "\(file) imports \(module)")
            }
            #expect(
                !file.imports.contains { $0.hasSuffix("Service") && Self.services.contains(String($0.dropLast(7))) }, "\(file)")
        }
    }

    @Test("every shared folder has its arrows declared here")
    func allShared() {
        let known = Set(Self.arrows.keys)
        let found = SourceTree.folders(in: "Shared").filter { name in
            name != "C" && SourceTree.files.contains { $0.path.hasPrefix("Shared/\(name)/") }
        }
        for name in found { #expect(known.contains("Shared/\(name)"), "declare the imports of Shared/\(name)") }
    }

    @Test("a C module is imported by its one wrapper", arguments: SourceTree.folders(in: "Shared/C") + ["BulkheadProtosC"])
    func wrappers(_ module: String) throws {
        let places = try #require(Self.wrappers[module], "name the one module that wraps \(module)")
        for file in SourceTree.files where file.imports.contains(module) {
            #expect(places.contains { file.path.hasPrefix($0 + "/") }, "\(file) imports \(module)")
        }
    }

    @Test("the hot path does not know Foundation")
    func foundation() {
        for file in SourceTree.files where file.path.hasPrefix("Shared/IPC/") || file.path.hasPrefix("Shared/Resilience/") {
            #expect(!file.imports.contains { $0.hasPrefix("Foundation") }, "\(file) imports Foundation")
        }
    }

    @Test("an HTTP client exists in credentials only: nothing else leaves the machine")
    func outbound() {
        for file in SourceTree.product where file.imports.contains(where: ["AsyncHTTPClient", "NIOHTTP2"].contains) {
            #expect(file.path.hasPrefix("Services/Credentials/"), "\(file) imports an HTTP client")
        }
    }

    @Test("imports are plain: no access level before them, no @testable")
    func plain() {
        for file in SourceTree.files {
            let odd = file.code(holding: "import ").first { line in
                file.imports.contains { line.line.hasSuffix("import \($0)") } && !line.line.hasPrefix("import ")
                    && !line.line.hasPrefix("@preconcurrency ")
            }
            #expect(odd == nil, "\(file):\(odd?.number ?? 0): \(odd?.line ?? "")")
        }
    }
}
