import BulkheadCore
import BulkheadStore
import Foundation
import NIOCore
import SessionService
import Synchronization
import Testing

/// What only the store in a file does.
@Suite("SQLite")
struct SQLiteTests {
    @Test("The connection is set up for durability: WAL, FULL, checkpoints by the writer, no mmap, foreign keys")
    func pragmas() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore.open(path: folder.store, schema: SessionSchema.all)
        let names = ["journal_mode", "synchronous", "wal_autocheckpoint", "foreign_keys", "busy_timeout", "mmap_size"]
        let modes = try await store.transact { transaction in
            try names.map { try transaction.rows(Statement($0, "PRAGMA \($0)"), []).first?.values.first ?? .null }
        }
        let expected: [SQLValue] = [.text("wal"), .integer(2), .integer(0), .integer(1), .integer(5000), .integer(0)]
        #expect(modes == expected)
    }

    @Test("The log is written back at 1000 pages, and does not grow beyond")
    func checkpoint() async throws {
        let folder = try TemporaryFolder()
        let written = Mutex<[CheckpointOutcome]>([])
        let observer = StoreObserver(checkpoint: { outcome in written.withLock { $0.append(outcome) } })
        let store = try SQLiteStore.open(path: folder.store, schema: SessionSchema.all, observer: observer)
        for index in 0 ..< 40 { try await store.transact { try Blob.put(index, bytes: 1 << 20, $0) } }
        let outcomes = written.withLock { $0 }
        #expect(outcomes.count >= 8 && outcomes.allSatisfy { $0.failure == nil && $0.pages >= 1000 })
        #expect(folder.logBytes < 8 << 20)
        #expect(try await Blob.count(store) == 40)
    }

    @Test("At rest the log's file is given free; while there are commits it is not")
    func idle() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore.open(path: folder.store, schema: SessionSchema.all)
        try await store.transact { try Blob.put(1, bytes: 10_000, $0) }
        store.tick(now: .now())
        _ = try await Blob.count(store)
        #expect(folder.logBytes > 0)
        store.tick(now: .now() + .seconds(31))
        // It stands in the queue; at most one commit is before it.
        for _ in 0 ..< 3 { #expect(try await Blob.count(store) == 1) }
        #expect(folder.logBytes == 0)
        try await store.transact { try Blob.put(2, bytes: 10_000, $0) }
        #expect(folder.logBytes > 0)
        #expect(try await Blob.count(store) == 2)
    }

    @Test(
        "A network file system is refused, with what to do",
        arguments: [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x5346_414f, 0x00c3_6400] as [UInt32])
    func network(kind: UInt32) throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: StoreOpenError.self) {
            _ = try SQLiteStore.open(
                path: folder.store, schema: SessionSchema.all, disk: LocalDisk(kind: { _ in kind }))
        }
        #expect(error?.description.contains("local disk") == true && error?.description.contains("postgres") == true)
        #expect(!FileManager.default.fileExists(atPath: folder.store), "nothing was made there")
    }

    @Test("Behind FUSE a remote folder is refused and a local disk is not")
    func fuse() throws {
        for type in ["fuse.sshfs", "fuse.s3fs", "fuse.glusterfs"] {
            #expect(throws: StoreOpenError.self, "\(type)") {
                try LocalDisk(kind: { _ in 0x6573_5546 }, mountType: { _ in type }).require("/x")
            }
        }
        try LocalDisk(kind: { _ in 0x6573_5546 }, mountType: { _ in "fuseblk" }).require("/x")
        // ext4, XFS, Btrfs, tmpfs, overlayfs, 9P.
        for kind: UInt32 in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x0102_1997] {
            try LocalDisk(kind: { _ in kind }).require("/x")
        }
        try LocalDisk().require("/tmp")
    }

    @Test("A second process is refused, and let in when the first has ended")
    func exclusive() throws {
        let folder = try TemporaryFolder()
        let holder = try LockHolder("\(folder.store).lock")
        let error = #expect(throws: StoreOpenError.self) {
            _ = try SQLiteStore.open(path: folder.store, schema: SessionSchema.all)
        }
        #expect(error?.description.contains("another process holds") == true)
        holder.end()
        _ = try SQLiteStore.open(path: folder.store, schema: SessionSchema.all)
    }

    @Test("A full disk is UNAVAILABLE, nothing of it stays, and the store works again when there is space")
    func full() async throws {
        let folder = try TemporaryFolder()
        let outcomes = Outcomes()
        let store = try SQLiteStore.open(
            path: folder.store, schema: SessionSchema.all, observer: StoreObserver(commit: { outcomes.append($0) }))
        try await store.transact { try Blob.put(1, bytes: 10, $0) }
        // As a disk without a free page answers SQLite.
        _ = try await store.transact { try $0.rows(Statement("test.limit", "PRAGMA max_page_count = 1"), []) }
        let failures = await withTaskGroup(of: CallError?.self) { group in
            for index in 2 ..< 12 {
                group.addTask {
                    do {
                        try await store.transact { try Blob.put(index, bytes: 100_000, $0) }
                        return nil
                    } catch {
                        return error as? CallError
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(failures.allSatisfy { $0?.code == .unavailable && $0?.reason == "store_unavailable" })
        #expect(failures.allSatisfy { $0?.message.contains("full") == true })
        #expect(outcomes.all.last?.failure != nil)
        #expect(try await Blob.count(store) == 1)
        _ = try await store.transact { try $0.rows(Statement("test.space", "PRAGMA max_page_count = 1000000"), []) }
        try await store.transact { try Blob.put(2, bytes: 100_000, $0) }
        #expect(try await Blob.count(store) == 2 && outcomes.all.last?.failure == nil)
    }

    @Test("A backup made while others write is whole, and what was there at its begin is in it")
    func backup() async throws {
        let folder = try TemporaryFolder()
        let other = try TemporaryFolder()
        let target = other.store
        let store = try SQLiteStore.open(path: folder.store, schema: SessionSchema.all)
        for index in 0 ..< 20 { try await store.transact { try Blob.put(index, bytes: 1 << 20, $0) } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 20 ..< 60 { group.addTask { try await store.transact { try Blob.put(index, bytes: 5_000, $0) } } }
            group.addTask { try await store.inspection.backUp(to: target) }
            try await group.waitForAll()
        }
        let copy = try SQLiteStore.open(path: other.store, schema: SessionSchema.all)
        #expect(try await (20 ... 60).contains(Blob.count(copy)))
        #expect(try await copy.inspection.check().sound)
        let mode = try FileManager.default.attributesOfItem(atPath: other.store)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test("A backup that fails leaves no file and says why")
    func backupFails() async throws {
        let bench = try await SessionBench()
        let error = await #expect(throws: StoreOpenError.self) {
            try await bench.store.inspection.backUp(to: bench.folder.path + "/absent/copy.sqlite")
        }
        #expect(error?.description.contains("cannot be made") == true)
    }
}

/// Rows of a size.
enum Blob {
    private static let insert = Statement("test.blob", "INSERT INTO setting (name, value) VALUES ($1, $2)")
    private static let counted = Statement("test.blobs", "SELECT count(*) FROM setting WHERE name LIKE 'blob %'")

    static func put(_ index: Int, bytes: Int, _ store: any StoreTransaction) throws {
        try store.run(insert, [.text("blob \(index)"), .bytes(ByteBuffer(repeating: 7, count: bytes))])
    }

    static func count(_ store: SQLiteStore) async throws -> Int {
        Int(try await store.transact { try $0.rows(counted, []).first?.integer(0) ?? 0 })
    }
}

extension TemporaryFolder {
    /// Bytes of SQLite's log.
    var logBytes: Int {
        let about = try? FileManager.default.attributesOfItem(atPath: store + "-wal")
        return about?[.size] as? Int ?? 0
    }
}

/// Another process that holds a lock on a file, until it is ended.
final class LockHolder {
    private let process = Process()
    private let input = Pipe()

    init(_ path: String) throws {
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = [
            "-c",
            "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()",
            path,
        ]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        _ = output.fileHandleForReading.availableData
    }

    func end() {
        // A pipe that is closed already is what is wanted.
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    deinit { if process.isRunning { end() } }
}
