import BulkheadIPC
import BulkheadWire
import CFuzz
import NIOCore

/// A message that can be decoded can be encoded, is the same when decoded again, and cost no more memory than its bytes justify.
///
/// Input: the number of the message, then its bytes.
enum MessageCheck {
    /// Arena blocks double, so that at most about this many times the cap is allocated.
    private static let slack = 4
    /// Kept between messages: one block.
    private static let keptBytes = (1 << 20) + 4096

    static func run(_ input: some Sequence<UInt8>) {
        var input = InputBytes(input)
        let type = everyMessage[Int(input.next()) % everyMessage.count]
        check(type, input.takeRest())
    }

    private static func check<M: TestedMessage>(_ type: M.Type, _ bytes: [UInt8]) {
        fuzz_empty_arena()
        fuzz_forget_peak()
        let before = (blocks: fuzz_live_blocks(), bytes: fuzz_live_bytes())
        let cap = 16 * bytes.count + 256 * 1024
        if let message = try? M.decoded(ByteBuffer(bytes: bytes)) {
            checkAgain(message)
            checkUnpacked(message, bytes)
        }
        if fuzz_peak_bytes() - before.bytes > slack * cap {
            found("\(type) of \(bytes.count) bytes took \(fuzz_peak_bytes() - before.bytes) bytes of memory")
        }
        fuzz_empty_arena()
        guard fuzz_live_blocks() <= max(before.blocks, 1), fuzz_live_bytes() <= keptBytes else {
            found("\(type) left \(fuzz_live_blocks()) blocks with \(fuzz_live_bytes()) bytes")
        }
    }

    private static func checkAgain<M: TestedMessage>(_ message: M) {
        guard let written = try? message.encoded() else { found("\(message) was read but cannot be written") }
        guard let again = try? M.decoded(written) else { found("\(message) was written but cannot be read") }
        guard isSame(again, message) else { found("\(message) became \(again)") }
        guard let twice = try? again.encoded(), twice == written else { found("\(message) is written in two ways") }
    }

    /// Equal, but for a NaN, which is not equal to itself.
    private static func isSame<M: TestedMessage>(_ left: M, _ right: M) -> Bool {
        if left == right { return true }
        let text = fields(left)
        return text == fields(right) && text.contains("nan")
    }

    private static func fields(_ message: some TestedMessage) -> String {
        var text = ""
        dump(message, to: &text)
        return text
    }

    /// The same through an allocator with a separate piece of memory for everything, whose ends AddressSanitizer guards.
    private static func checkUnpacked<M: TestedMessage>(_ message: M, _ bytes: [UInt8]) {
        let before = fuzz_live_blocks()
        var copy: M?
        withUnsafeMutablePointer(to: &copy) { slot in
            let use: (UnsafeRawPointer) -> Void = { slot.pointee = try? M(loading: $0.assumingMemoryBound(to: M.CMessage.self)) }
            withoutActuallyEscaping(use) { use in
                var context = use
                withUnsafeMutablePointer(to: &context) { context in
                    _ = fuzz_unpack(UnsafeRawPointer(M.descriptor), bytes, bytes.count, context) { context, unpacked in
                        guard let context, let unpacked else { return }
                        context.assumingMemoryBound(to: ((UnsafeRawPointer) -> Void).self).pointee(unpacked)
                    }
                }
            }
        }
        guard let copy, isSame(copy, message) else { found("\(message) is \(String(describing: copy)) out of the arena") }
        guard fuzz_live_blocks() == before else { found("libprotobuf-c left \(fuzz_live_blocks() - before) pieces of \(M.self)") }
    }
}
