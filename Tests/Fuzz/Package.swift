// swift-tools-version:6.2
import PackageDescription

// The fuzz targets, apart from the product: nothing depends on this package. Sources come in through symbolic links, so that
// what is fuzzed is what ships. The harness of the IPC layer is compiled into that layer's own module, beside its sources:
// that is how it reaches what other modules do not see.

/// Exclusive access is checked here, unlike in the product, and so are the assertions.
let fuzzed: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
    .unsafeFlags(["-sanitize=fuzzer,address", "-enforce-exclusivity=checked", "-assert-config", "Debug"]),
]

let fuzzedC: [CSetting] = [.unsafeFlags(["-fsanitize=fuzzer-no-link,address", "-g"])]

let package = Package(
    name: "bulkhead-fuzz",
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
    ],
    targets: [
        .systemLibrary(name: "CProtobufC", providers: [.apt(["libprotobuf-c-dev"])]),
        .target(name: "CBulkheadSystem", cSettings: fuzzedC),
        // The arena's memory is counted.
        .target(
            name: "CBulkheadWire", dependencies: ["CProtobufC"],
            cSettings: fuzzedC + [.define("malloc", to: "fuzz_malloc"), .define("free", to: "fuzz_free")]),
        .target(name: "BulkheadProtosC", dependencies: ["CProtobufC"], publicHeadersPath: ".", cSettings: fuzzedC),
        .target(
            name: "CFuzz", dependencies: ["CProtobufC", "CBulkheadSystem", "CBulkheadWire"], cSettings: [.unsafeFlags(["-g"])]),
        .target(name: "BulkheadCore", swiftSettings: fuzzed),
        .target(name: "BulkheadResilience", dependencies: ["BulkheadCore"], swiftSettings: fuzzed),
        .target(
            name: "BulkheadWire", dependencies: ["CBulkheadWire", "CProtobufC", .product(name: "NIOCore", package: "swift-nio")],
            swiftSettings: fuzzed),
        .target(
            name: "BulkheadIPC",
            dependencies: [
                "BulkheadCore", "BulkheadResilience", "BulkheadWire", "BulkheadProtosC", "CProtobufC", "CBulkheadSystem", "CFuzz",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"), .product(name: "Logging", package: "swift-log"),
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            // The harness has a dialer of its own: one that reaches a hostile server in this process.
            exclude: ["Shared/Link/LinkDialer.swift"],
            swiftSettings: fuzzed),
        .target(
            name: "BulkheadAPI",
            dependencies: [
                "BulkheadCore", "BulkheadIPC", "BulkheadWire", "BulkheadProtosC", "CProtobufC",
                .product(name: "NIOCore", package: "swift-nio"),
            ], swiftSettings: fuzzed),
        .target(
            name: "CBulkheadJSON", cxxSettings: [.unsafeFlags(["-fsanitize=fuzzer-no-link,address", "-g"])],
            linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("stdc++")]),
        .target(
            name: "BulkheadJSON", dependencies: ["CBulkheadJSON", .product(name: "NIOCore", package: "swift-nio")],
            swiftSettings: fuzzed),
        .target(
            name: "BulkheadHTTP",
            dependencies: ["BulkheadCore", "BulkheadJSON", .product(name: "NIOCore", package: "swift-nio")],
            swiftSettings: fuzzed),
        // Of the services only what reads and writes dialects. What that needs of the rest has stand-ins in the harness.
        .target(
            name: "RouterService",
            dependencies: [
                "BulkheadCore", "BulkheadResilience", "BulkheadAPI", "BulkheadHTTP", "BulkheadJSON",
                .product(name: "NIOCore", package: "swift-nio"),
            ], swiftSettings: fuzzed),
        .target(
            name: "EdgeService",
            dependencies: [
                "BulkheadCore", "BulkheadIPC", "BulkheadAPI", "BulkheadHTTP", "BulkheadJSON",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            exclude: ["Chat/ChatEndpoint.swift", "Chat/ModelsEndpoint.swift", "Chat/SingleEndpoint.swift"],
            swiftSettings: fuzzed),
        .executableTarget(
            name: "bulkhead-fuzz",
            dependencies: [
                "BulkheadCore", "BulkheadIPC", "BulkheadAPI", "BulkheadWire", "BulkheadHTTP", "BulkheadJSON", "CFuzz",
                "EdgeService", "RouterService", .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: fuzzed,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld", "-Xlinker", "--wrap=clock_gettime"])]),
    ],
    swiftLanguageModes: [.v6]
)
