import BulkheadCore
import BulkheadStore
import Foundation
import SessionService
import Testing

/// IK45. A power cut loses what was not yet synced: the end of SQLite's log, anywhere. With every place at which it can be cut
/// the store opens, is sound, and holds what was acknowledged when the log ended there.
@Suite("Power loss")
struct PowerLossTests {
    @Test("Cut anywhere, the log gives back exactly the commits that are whole in it", arguments: [false, true])
    func cut(afterCheckpoint: Bool) async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore.open(path: folder.store, schema: SessionSchema.all)
        // Without it the log holds the making of the tables, too; with it, remains of an earlier round behind its end.
        if afterCheckpoint { try await store.transact { try Blob.put(-1, bytes: 5 << 20, $0) } }
        let before = afterCheckpoint ? 1 : 0
        var acknowledged: [Int] = []
        for index in 0 ..< 16 {
            try await store.transact { try Blob.put(index, bytes: 1 + index * 700, $0) }
            acknowledged.append(WALFile(folder).liveBytes)
        }
        let (database, log) = (try Data(contentsOf: URL(filePath: folder.store)), WALFile(folder))
        #expect(acknowledged == acknowledged.sorted() && Set(acknowledged).count == 16, "every commit reached the log")
        var random = SystemRandomNumberGenerator()
        let anywhere = (0 ..< 40).map { _ in Int.random(in: 0 ... log.liveBytes, using: &random) }
        for cut in log.frameEnds + anywhere + acknowledged.map({ $0 - 1 }) {
            for tail in Tail.allCases {
                // Lost bytes that were zeros are no loss.
                let left = tail.apply(log.bytes, cut)
                let expected = before + acknowledged.count { left.count >= $0 && left.prefix($0) == log.bytes.prefix($0) }
                let copy = try TemporaryFolder()
                try database.write(to: URL(filePath: copy.store))
                try left.write(to: URL(filePath: copy.store + "-wal"))
                // It refuses to open what is damaged.
                let opened = try SQLiteStore.open(path: copy.store, schema: SessionSchema.all)
                let found = try await Blob.count(opened)
                #expect(found == expected, "cut at \(cut), then \(tail)")
                try await opened.transact { try Blob.put(1000, bytes: 10, $0) }
                try opened.close()
            }
        }
    }

    @Test("A store that is killed and opened again holds every row that was acknowledged")
    func reopened() async throws {
        let folder = try TemporaryFolder()
        for round in 0 ..< 5 {
            let store = try SQLiteStore.open(path: folder.store, schema: SessionSchema.all)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0 ..< 50 {
                    group.addTask { try await store.transact { try Blob.put(round * 50 + index, bytes: 900, $0) } }
                }
                try await group.waitForAll()
            }
            // The copy is what a machine that stops here has on its disk.
            let copy = try TemporaryFolder()
            for end in ["", "-wal"] {
                try FileManager.default.copyItem(atPath: folder.store + end, toPath: copy.store + end)
            }
            #expect(try await Blob.count(try SQLiteStore.open(path: copy.store, schema: SessionSchema.all)) == (round + 1) * 50)
            try store.close()
        }
    }
}

/// What stands where the lost end of a log was.
enum Tail: CaseIterable {
    case nothing
    case zeros
    case garbage

    func apply(_ log: Data, _ cut: Int) -> Data {
        let lost = log.count - cut
        switch self {
        case .nothing: return log.prefix(cut)
        case .zeros: return log.prefix(cut) + Data(repeating: 0, count: lost)
        case .garbage: return log.prefix(cut) + Data((0 ..< lost).map { UInt8(truncatingIfNeeded: $0 &* 131 &+ 7) })
        }
    }
}

/// SQLite's log as its file format describes it: a header of 32 bytes, then frames of 24 bytes and a page each. Frames of this
/// round carry the salts of the header (fileformat2.html, section 4.1).
struct WALFile {
    private static let header = 32
    let bytes: Data
    private let frame: Int

    init(_ folder: TemporaryFolder) {
        bytes = (try? Data(contentsOf: URL(filePath: folder.store + "-wal"))) ?? Data()
        frame = 24 + (bytes.count < Self.header ? 4096 : bytes[8 ..< 12].reduce(0) { $0 << 8 | Int($1) })
    }

    /// Where each frame of this round ends; the header's end first.
    var frameEnds: [Int] {
        guard bytes.count >= Self.header else { return [0] }
        let salts = bytes[16 ..< 24]
        var ends = [Self.header]
        while let end = ends.last, end + frame <= bytes.count, bytes[end + 8 ..< end + 16] == salts { ends.append(end + frame) }
        return ends
    }

    /// Bytes up to the last frame of this round.
    var liveBytes: Int { frameEnds.last ?? 0 }
}
