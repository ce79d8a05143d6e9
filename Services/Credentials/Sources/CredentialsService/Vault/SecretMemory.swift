import CBulkheadSystem
import Glibc
import Synchronization

/// Where secrets lie: pages that are locked (never swapped), left out of dumps, not inherited by child processes, and fenced
/// off by pages nobody may touch. Slots of a few sizes; a slot is zeroed before it is used again.
///
/// Bounded by `maxLocked`. Beyond it, and where the system does not let memory be locked, secrets lie in memory of the same
/// kind that is not locked; `problem` says so.
final class SecretMemory: Sendable {
    /// A piece of memory for one secret.
    struct Slot: Sendable {
        fileprivate let address: UInt
        let count: Int
        /// The slot's own size; 0 for memory that was mapped for it alone.
        fileprivate let size: Int
        fileprivate let isLocked: Bool

        fileprivate init(_ memory: UnsafeMutableRawPointer, _ count: Int, size: Int, isLocked: Bool = false) {
            address = UInt(bitPattern: memory)
            self.count = count
            self.size = size
            self.isLocked = isLocked
        }

        /// Whoever has the slot may use it until it is given back.
        var bytes: UnsafeMutableRawBufferPointer {
            UnsafeMutableRawBufferPointer(start: UnsafeMutableRawPointer(bitPattern: address), count: count)
        }
    }

    private struct State {
        var free: [Int: [UInt]] = [:]
        var locked = 0
        var unlocked = 0
        var lockError: Int32 = 0
    }

    /// The process's one.
    static let shared = SecretMemory()

    /// Bytes that are locked at most. `LimitMEMLOCK` of the unit allows more than that.
    static let maxLocked = 32 << 20
    private static let chunk = 64 << 10
    private static let sizes = [64, 128, 256, 512, 1024, 4096, 16384]
    private let state = Mutex(State())

    /// Takes memory for `count` bytes, zeroed.
    func take(_ count: Int) -> Slot {
        state.withLock { state in
            guard let size = Self.sizes.first(where: { $0 >= count }) else {
                let (memory, isLocked) = Self.map(count, &state)
                return Slot(memory, count, size: 0, isLocked: isLocked)
            }
            if state.free[size]?.isEmpty ?? true { Self.refill(size, &state) }
            guard let place = state.free[size]?.popLast(), let memory = UnsafeMutableRawPointer(bitPattern: place) else {
                preconditionFailure("bug: a chunk has slots")
            }
            return Slot(memory, count, size: size)
        }
    }

    /// Zeroes a slot and takes it back.
    func giveBack(_ slot: Slot) {
        guard let base = slot.bytes.baseAddress else { return }
        guard slot.size > 0 else {
            return state.withLock { state in
                bh_guarded_unmap(base, slot.bytes.count)
                if slot.isLocked { state.locked -= slot.bytes.count } else { state.unlocked -= slot.bytes.count }
            }
        }
        explicit_bzero(base, slot.bytes.count)
        state.withLock { $0.free[slot.size, default: []].append(UInt(bitPattern: base)) }
    }

    /// Takes the first pages, so that `problem` knows whether they can be locked.
    func prepare() { giveBack(take(1)) }

    /// Why not all secrets are locked in memory, and what to do; nil when they are.
    var problem: String? {
        state.withLock { state in
            guard state.unlocked > 0 else { return nil }
            if state.lockError == 0 {
                return "secrets take more than \(Self.maxLocked >> 20) MiB of memory: what is beyond is not locked; delete some"
            }
            return "memory for secrets cannot be locked (mlock: \(String(cString: strerror(state.lockError)))): raise "
                + "LimitMEMLOCK (ulimit -l) to 64 MiB"
        }
    }

    private static func refill(_ size: Int, _ state: inout State) {
        let (memory, _) = map(chunk, &state)
        state.free[size, default: []] += stride(from: 0, to: chunk, by: size).map { UInt(bitPattern: memory + $0) }
    }

    private static func map(_ bytes: Int, _ state: inout State) -> (UnsafeMutableRawPointer, isLocked: Bool) {
        var error: Int32 = 0
        guard let memory = bh_guarded_map(bytes, &error) else {
            preconditionFailure("bug: \(bytes) bytes for secrets cannot be mapped, there is no memory left")
        }
        let isBeyond = state.locked + bytes > maxLocked
        if isBeyond { munlock(memory, bytes) }
        let isLocked = error == 0 && !isBeyond
        if isLocked {
            state.locked += bytes
        } else {
            state.unlocked += bytes
            state.lockError = error
        }
        return (memory, isLocked)
    }
}
