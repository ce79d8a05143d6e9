// swift-tools-version:6.2
import PackageDescription

// One list of services, one of shared modules. A service may import Shared and Protos, never another service:
// targets declare what they use and `make build` passes --explicit-target-dependency-import-check error.

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
    // State is confined to one loop or behind a Mutex; the dynamic checks cost 1 to 3 % of every process.
    .unsafeFlags(["-enforce-exclusivity=unchecked"]),
]

typealias Dependencies = [Target.Dependency]

extension Target.Dependency {
    static let nio: Self = .product(name: "NIOCore", package: "swift-nio")
    static let nioPosix: Self = .product(name: "NIOPosix", package: "swift-nio")
    static let nioEmbedded: Self = .product(name: "NIOEmbedded", package: "swift-nio")
    static let nioHTTP1: Self = .product(name: "NIOHTTP1", package: "swift-nio")
    static let nioSSL: Self = .product(name: "NIOSSL", package: "swift-nio-ssl")
    static let log: Self = .product(name: "Logging", package: "swift-log")
    static let crypto: Self = .product(name: "Crypto", package: "swift-crypto")
    static let cryptoExtras: Self = .product(name: "CryptoExtras", package: "swift-crypto")
    static let yams: Self = .product(name: "Yams", package: "Yams")
    static let arguments: Self = .product(name: "ArgumentParser", package: "swift-argument-parser")
    static let hummingbird: Self = .product(name: "HummingbirdCore", package: "hummingbird")
    static let httpTypes: Self = .product(name: "HTTPTypes", package: "swift-http-types")
    static let nioTLS: Self = .product(name: "NIOTLS", package: "swift-nio")
    static let nioHTTP2: Self = .product(name: "NIOHTTP2", package: "swift-nio-http2")
    static let nioHPACK: Self = .product(name: "NIOHPACK", package: "swift-nio-http2")
    static let x509: Self = .product(name: "X509", package: "swift-certificates")
    static let asn1: Self = .product(name: "SwiftASN1", package: "swift-asn1")
    static let grdb: Self = .product(name: "GRDB", package: "GRDB.swift")
    static let sqlite: Self = .product(name: "GRDBSQLite", package: "GRDB.swift")
    static let jwt: Self = .product(name: "JWTKit", package: "jwt-kit")
    static let deque: Self = .product(name: "DequeModule", package: "swift-collections")
    static let heap: Self = .product(name: "HeapModule", package: "swift-collections")
}

func shared(_ name: String, _ folder: String, _ dependencies: Dependencies = []) -> [Target] {
    [.target(name: name, dependencies: dependencies, path: "Shared/\(folder)", swiftSettings: strict)]
}

/// A module map over headers and a library of the system; exactly one Swift module imports it.
func system(_ name: String, apt: String, pkgConfig: String? = nil) -> [Target] {
    [.systemLibrary(name: name, path: "Shared/C/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])]
}

/// A few lines of C or C++ of our own; exactly one Swift module imports it.
func shim(_ name: String, _ dependencies: Dependencies = [], path: String? = nil, libraries: [String] = []) -> [Target] {
    [
        .target(
            name: name, dependencies: dependencies, path: path ?? "Shared/C/\(name)",
            publicHeadersPath: path == nil ? "include" : ".",
            linkerSettings: libraries.map { .linkedLibrary($0) })
    ]
}

/// - Parameter executable: what is linked into the process alone, not into the tests of its module.
func service(_ name: String, _ dependencies: Dependencies = [], executable: Dependencies = []) -> [Target] {
    let lower = name.lowercased()
    let kit: Dependencies = [
        "BulkheadCore", "BulkheadConfig", "BulkheadResilience", "BulkheadIPC", "BulkheadAPI", "BulkheadObservability",
        "BulkheadServiceKit", .nio, .nioPosix, .log,
    ]
    return [
        .target(
            name: "\(name)Service", dependencies: kit + dependencies, path: "Services/\(name)/Sources/\(name)Service",
            swiftSettings: strict),
        .executableTarget(
            name: "bulkhead-\(lower)",
            dependencies: [
                .byName(name: "\(name)Service"), "BulkheadCore", "BulkheadConfig", "BulkheadServiceKit", "BulkheadAdminCLI",
                .arguments,
            ] + executable,
            path: "Services/\(name)/Sources/bulkhead-\(lower)", swiftSettings: strict),
    ]
}

func test(_ name: String, _ folder: String, _ dependencies: Dependencies) -> [Target] {
    [.testTarget(name: name, dependencies: dependencies, path: "Tests/\(folder)", swiftSettings: strict)]
}

let sharedTargets: [[Target]] = [
    shared("BulkheadCore", "Core"),
    shared("BulkheadResilience", "Resilience", ["BulkheadCore"]),
    shared("BulkheadConfig", "Config", ["BulkheadCore", .yams]),
    shared("BulkheadJSON", "JSON", ["CBulkheadJSON", .nio]),
    shared("BulkheadTokens", "Tokens", [.crypto, .heap]),
    shared("BulkheadHTTP", "HTTP", ["BulkheadCore", "BulkheadJSON", .nio]),
    shared("BulkheadCoding", "Coding", ["CZlib", .nio]),
    shared("BulkheadWire", "Wire", ["CBulkheadWire", "CProtobufC", .nio]),
    shared(
        "BulkheadIPC", "IPC",
        [
            "BulkheadCore", "BulkheadResilience", "BulkheadWire", "BulkheadProtosC", "CProtobufC", "CBulkheadSystem", .nio,
            .nioPosix, .deque, .log,
        ]),
    shared(
        "BulkheadRedis", "Redis",
        ["BulkheadCore", "BulkheadConfig", "BulkheadResilience", "CHiredis", .nio, .nioPosix, .nioSSL, .deque, .log]),
    shared("BulkheadObservability", "Observability", ["BulkheadCore", .log]),
    shared("BulkheadPostgres", "Postgres", ["BulkheadCore", "BulkheadConfig", "BulkheadResilience", "CLibpq", .nio, .log]),
    shared(
        "BulkheadStore", "Store",
        [
            "BulkheadCore", "BulkheadConfig", "BulkheadResilience", "BulkheadPostgres", "CBulkheadSystem", .nio, .log, .grdb,
            .sqlite, .deque,
        ]),
    shared(
        "BulkheadServiceKit", "ServiceKit",
        [
            "BulkheadCore", "BulkheadConfig", "BulkheadResilience", "BulkheadIPC", "BulkheadAPI", "BulkheadObservability",
            "CBulkheadSystem", .nio, .nioPosix, .log, .deque,
        ]),
    shared(
        "BulkheadAdminCLI", "AdminCLI",
        [
            "BulkheadCore", "BulkheadConfig", "BulkheadResilience", "BulkheadIPC", "BulkheadAPI", "BulkheadServiceKit",
            .arguments, .nio,
            .nioPosix,
        ]),
    [
        .target(
            name: "BulkheadAPI",
            dependencies: ["BulkheadCore", "BulkheadIPC", "BulkheadWire", "BulkheadProtosC", "CProtobufC", .nio],
            path: "Protos/API", swiftSettings: strict)
    ],
    system("CProtobufC", apt: "libprotobuf-c-dev"),
    system("COpenBLAS", apt: "libopenblas-dev"),
    system("CHiredis", apt: "libhiredis-dev"),
    system("CLibpq", apt: "libpq-dev", pkgConfig: "libpq"),
    system("CLibsecret", apt: "libsecret-1-dev", pkgConfig: "libsecret-1"),
    system("CZlib", apt: "zlib1g-dev"),
    shim("CBulkheadSystem"),
    shim("CBulkheadHardening"),
    shim("CBulkheadWire", ["CProtobufC"]),
    shim("CBulkheadJSON", libraries: ["simdjson", "stdc++"]),
    shim("BulkheadProtosC", ["CProtobufC"], path: "Protos/Generated"),
]

let serviceTargets: [[Target]] = [
    service(
        "Edge", ["BulkheadCoding", "BulkheadHTTP", "BulkheadJSON", .hummingbird, .httpTypes, .nioHTTP1, .crypto, .jwt]),
    service("Router", ["BulkheadHTTP", "BulkheadJSON", "BulkheadRedis", "BulkheadTokens", .crypto]),
    service("Retrieval", ["COpenBLAS"]),
    service(
        "Session", ["BulkheadStore", "BulkheadPostgres", "BulkheadRedis", .crypto, .deque, .heap],
        executable: ["BulkheadStore"]),
    service(
        "Credentials",
        [
            "BulkheadCoding", "BulkheadHTTP", "BulkheadJSON", "CBulkheadSystem", "CLibsecret", .nioHTTP1, .nioHTTP2, .nioHPACK,
            .nioTLS,
            .nioSSL, .x509, .asn1, .crypto, .cryptoExtras, .deque,
        ],
        executable: ["CBulkheadHardening"]),
    service("Telemetry", [.grdb]),
    [
        .executableTarget(
            name: "bulkhead",
            dependencies: [
                "BulkheadCore", "BulkheadConfig", "BulkheadServiceKit", "BulkheadAdminCLI", "BulkheadIPC", "BulkheadAPI",
                "BulkheadTokens", "CBulkheadSystem", .arguments, .nio, .nioPosix, .log,
            ],
            path: "Services/Suite/Sources/bulkhead", swiftSettings: strict),
        .executableTarget(
            name: "bulkhead-demo-provider",
            dependencies: ["BulkheadCore", "BulkheadHTTP", "BulkheadJSON", .arguments, .nio, .nioPosix, .nioHTTP1],
            path: "Services/DemoProvider/Sources/bulkhead-demo-provider", swiftSettings: strict),
        .executableTarget(
            name: "bulkhead-ipc-peer",
            dependencies: ["BulkheadCore", "BulkheadIPC", "BulkheadAPI", "BulkheadServiceKit", .nio, .nioPosix, .arguments],
            path: "Tests/Support/bulkhead-ipc-peer", swiftSettings: strict),
        .target(name: "BenchFigures", dependencies: ["BulkheadIPC"], path: "Tests/Support/bench-figures", swiftSettings: strict),
        .executableTarget(
            name: "bulkhead-credentials-bench",
            dependencies: [
                "BenchFigures", "BulkheadCore", "BulkheadConfig", "BulkheadIPC", "BulkheadAPI", "CredentialsService", .nio,
                .nioHTTP1, .arguments,
            ],
            path: "Tests/Support/bulkhead-credentials-bench", swiftSettings: strict),
        .target(
            name: "RedisFixture", dependencies: ["BulkheadRedis", "BulkheadCore", .nioPosix, .log],
            path: "Tests/Support/RedisFixture", swiftSettings: strict),
        .executableTarget(
            name: "bulkhead-session-bench",
            dependencies: [
                "BenchFigures", "BulkheadCore", "BulkheadIPC", "BulkheadAPI", "BulkheadRedis", "SessionService", "RouterService",
                .nio, .crypto, .log, .arguments,
            ],
            path: "Tests/Support/bulkhead-session-bench", swiftSettings: strict),
        .executableTarget(
            name: "bulkhead-token-peer", dependencies: ["BulkheadTokens", .arguments],
            path: "Tests/Support/bulkhead-token-peer", swiftSettings: strict),
    ],
]

let testTargets: [[Target]] = [
    test("CoreTests", "Unit/CoreTests", ["BulkheadCore"]),
    test("ResilienceTests", "Unit/ResilienceTests", ["BulkheadCore", "BulkheadResilience"]),
    test("ConfigTests", "Unit/ConfigTests", ["BulkheadCore", "BulkheadConfig"]),
    test("JSONTests", "Unit/JSONTests", ["BulkheadJSON", "BulkheadHTTP", .nio]),
    test("CodingTests", "Unit/CodingTests", ["BulkheadCoding", .nio]),
    test("TokensTests", "Unit/TokensTests", ["BulkheadTokens"]),
    test("WireTests", "Unit/WireTests", ["BulkheadWire", "BulkheadAPI", "BulkheadIPC", .nio]),
    test(
        "IPCTests", "Unit/IPCTests",
        ["BulkheadCore", "BulkheadResilience", "BulkheadIPC", "BulkheadAPI", "BulkheadWire", .nio, .nioPosix, .nioEmbedded]),
    test(
        "IPCConformanceTests", "Conformance/IPC",
        ["BulkheadCore", "BulkheadResilience", "BulkheadIPC", "BulkheadAPI", .nio, .nioPosix]),
    test(
        "ServiceKitTests", "Unit/ServiceKitTests",
        ["BulkheadCore", "BulkheadConfig", "BulkheadServiceKit", "BulkheadObservability"]),
    test(
        "EdgeTests", "Unit/EdgeTests",
        [
            "EdgeService", "BulkheadCore", "BulkheadConfig", "BulkheadAPI", "BulkheadIPC", "BulkheadJSON", "BulkheadHTTP", .nio,
            .nioEmbedded, .nioHTTP1, .httpTypes, .crypto, .cryptoExtras, .log,
        ]),
    test(
        "RouterTests", "Unit/RouterTests",
        [
            "RouterService", "BulkheadCore", "BulkheadConfig", "BulkheadAPI", "BulkheadIPC", "BulkheadHTTP", "BulkheadJSON",
            "BulkheadResilience", "BulkheadObservability", "BulkheadTokens", .nio, .nioPosix, .log,
        ]),
    test("RedisTests", "Unit/RedisTests", ["BulkheadRedis", "BulkheadCore", "BulkheadConfig", .nio, .nioPosix, .log]),
    test(
        "AnswerCacheConformanceTests", "Conformance/AnswerCache",
        ["RouterService", "BulkheadCore", "BulkheadAPI", "BulkheadRedis", "RedisFixture", .nio, .nioPosix, .log]),
    test("RetrievalTests", "Unit/RetrievalTests", ["RetrievalService", "BulkheadCore", "BulkheadConfig"]),
    test(
        "SessionTests", "Unit/SessionTests",
        [
            "SessionService", "BulkheadStore", "BulkheadCore", "BulkheadConfig", "BulkheadAPI", "BulkheadIPC",
            "BulkheadObservability", .nio, .nioPosix, .crypto, .log,
        ]),
    test("PostgresTests", "Unit/PostgresTests", ["BulkheadPostgres", "BulkheadCore", "BulkheadConfig", .nio, .log]),
    test(
        "StoreConformanceTests", "Conformance/Store",
        [
            "SessionService", "BulkheadStore", "BulkheadPostgres", "BulkheadCore", "BulkheadConfig", "BulkheadAPI", "BulkheadIPC",
            .nio, .nioPosix, .log, .crypto, .grdb,
        ]),
    test(
        "LimitConformanceTests", "Conformance/Limits",
        [
            "SessionService", "BulkheadStore", "BulkheadRedis", "RedisFixture", "BulkheadCore", "BulkheadConfig", "BulkheadAPI",
            .nio, .nioPosix, .log,
        ]),
    test(
        "CredentialsTests", "Unit/CredentialsTests",
        [
            "CredentialsService", "BulkheadCore", "BulkheadConfig", "BulkheadAPI", "BulkheadIPC", "CZlib", .nio, .nioPosix,
            .nioEmbedded, .nioHTTP1, .nioHTTP2, .nioHPACK, .nioTLS, .nioSSL, .crypto,
        ]),
    test("SecretStoreConformanceTests", "Conformance/SecretStore", ["CredentialsService", "BulkheadCore"]),
    test(
        "TelemetryTests", "Unit/TelemetryTests",
        ["TelemetryService", "BulkheadCore", "BulkheadConfig", "BulkheadAPI", .nio, .grdb]),
    test("TidyTests", "Unit/TidyTests", []),
]

let package = Package(
    name: "bulkhead",
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", exact: "1.46.0"),
        .package(url: "https://github.com/apple/swift-certificates", exact: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", exact: "1.7.4"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/vapor/jwt-kit", exact: "5.7.1"),
    ],
    targets: Array((sharedTargets + serviceTargets + testTargets).joined()),
    swiftLanguageModes: [.v6]
)
