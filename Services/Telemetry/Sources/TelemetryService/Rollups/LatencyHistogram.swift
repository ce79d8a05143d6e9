import Foundation

/// Durations counted in sixteen buckets an octave, so that a quantile is at most 1/32 (3.2 %) away from the true one. Histograms add up exactly, and are stored as a short blob.
package struct LatencyHistogram: Sendable, Equatable {
    /// Counts by bucket; empty buckets are absent.
    private var counts: [UInt16: Int] = [:]

    /// Durations counted.
    package private(set) var count = 0

    /// Nothing counted.
    package init() {}

    /// Counts one duration.
    /// - Parameter microseconds: values below zero count as zero, those above 2^40 (13 days) as that.
    package mutating func record(_ microseconds: Int) {
        counts[Self.bucket(microseconds), default: 0] += 1
        count += 1
    }

    /// Adds what another histogram counted.
    package mutating func merge(_ other: LatencyHistogram) {
        counts.merge(other.counts, uniquingKeysWith: +)
        count += other.count
    }

    /// The duration in microseconds that `share` (0 … 1) of those counted did not exceed, as the middle of its bucket; nil
    /// when nothing was counted.
    package func quantile(_ share: Double) -> Double? {
        guard count > 0 else { return nil }
        let rank = min(count, max(1, Int((Double(count) * share).rounded(.up))))
        var seen = 0
        for (bucket, count) in counts.sorted(by: { $0.key < $1.key }) {
            seen += count
            if seen >= rank { return Self.middle(bucket) }
        }
        return nil
    }

    /// Below 16 a bucket is one value wide; from there the four bits below the highest one choose among an octave's buckets.
    private static func bucket(_ microseconds: Int) -> UInt16 {
        let value = UInt64(min(max(0, microseconds), 1 << 40))
        guard value >= 16 else { return UInt16(value) }
        let exponent = 63 - value.leadingZeroBitCount
        let within = (value >> UInt64(exponent - 4)) & 15
        return UInt16(16 + (exponent - 4) * 16 + Int(within))
    }

    private static func middle(_ bucket: UInt16) -> Double {
        guard bucket >= 16 else { return Double(bucket) }
        let exponent = Int(bucket - 16) / 16
        let within = Int(bucket - 16) % 16
        let width = Double(UInt64(1) << UInt64(exponent))
        return Double(16 + within) * width + (width - 1) / 2
    }
}

// Stored as pairs of (distance from the last bucket, count), each a LEB128 number.
extension LatencyHistogram {
    /// The stored form.
    package var encoded: Data {
        var bytes: [UInt8] = []
        var last = 0
        for (bucket, count) in counts.sorted(by: { $0.key < $1.key }) {
            Self.append(UInt64(Int(bucket) - last), to: &bytes)
            Self.append(UInt64(count), to: &bytes)
            last = Int(bucket)
        }
        return Data(bytes)
    }

    /// Reads the stored form; nil when it is none.
    package init?(encoded: Data) {
        var bytes = encoded[...]
        var bucket = 0
        while !bytes.isEmpty {
            guard let step = Self.number(&bytes), let count = Self.number(&bytes), step <= 1024, count <= 1 << 48 else {
                return nil
            }
            bucket += Int(step)
            guard bucket <= 1024 else { return nil }
            counts[UInt16(bucket), default: 0] += Int(count)
            self.count += Int(count)
        }
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private static func number(_ bytes: inout Data.SubSequence) -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = bytes.popFirst() {
            guard shift < 63 else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
        return nil
    }
}
