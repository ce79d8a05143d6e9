import BulkheadIPC
import BulkheadWire
import Foundation

/// Writes the seed corpus: a folder per target, small files made by the product's encoders. The same files every time.
enum Seeds {
    /// A seed that is longer slows the fuzzing down more than it helps.
    private static let maxBytes = 1024

    static func write(to folder: String) throws {
        var seeds = try ProtocolSeeds.all()
        seeds["messages"] = [:]
        for (number, type) in everyMessage.enumerated() {
            for filling in [WireFormat.Filling.full, .random] {
                seeds["messages"]?["\(type)-\(number)-\(filling)"] = [UInt8(number)] + bytes(of: type, filling)
            }
        }
        // Empty messages inside one: little on the wire, blocks of memory out of it.
        for number in [1, 7, 9, 17] {
            let many = [[UInt8]](repeating: [0x0a, 0, 0x6a, 0], count: 1000).flatMap { $0 }
            seeds["messages"]?["many-empty-\(number)"] = [UInt8(number)] + many
        }
        seeds.merge(AnswerSeeds.all()) { one, _ in one }
        seeds["surfaces"] = SurfaceSeeds.all
        for (target, files) in seeds {
            let place = URL(filePath: folder).appending(path: target)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            for (name, bytes) in files { try Data(bytes).write(to: place.appending(path: name)) }
        }
    }

    /// A message with all fields set, or with any, that is not too long.
    private static func bytes<M: TestedMessage>(of type: M.Type, _ filling: WireFormat.Filling) -> [UInt8] {
        var best: [UInt8]?
        for seed in UInt64(1) ... 200 {
            var format = WireFormat(generator: SeededGenerator(seed: seed), filling: filling)
            let bytes = format.bytes(of: type)
            if bytes.count <= maxBytes, filling == .full || bytes.count > best?.count ?? -1 { best = bytes }
            if best != nil, filling == .full { break }
        }
        return best ?? []
    }
}
