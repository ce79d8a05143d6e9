import Foundation

/// Element-wise functions over rows of floats, eight at a time. Lengths are multiples of eight unless said otherwise.
enum VectorMath {
    typealias Lanes = SIMD8<Float>
    static let width = Lanes.scalarCount

    /// `row` gets mean 0 and variance 1, then `scale` and `shift`. The model's epsilon is 1e-12.
    static func layerNorm(
        _ row: UnsafeMutablePointer<Float>, count: Int, scale: UnsafePointer<Float>, shift: UnsafePointer<Float>
    ) {
        var total = Lanes.zero
        each(count) { total += load(row + $0) }
        let mean = total.sum() / Float(count)
        var squares = Lanes.zero
        each(count) {
            let centred = load(row + $0) - mean
            squares += centred * centred
        }
        let factor = 1 / (squares.sum() / Float(count) + 1e-12).squareRoot()
        each(count) { store((load(row + $0) - mean) * factor * load(scale + $0) + load(shift + $0), row + $0) }
    }

    /// `row` += `other`.
    static func add(_ other: UnsafePointer<Float>, to row: UnsafeMutablePointer<Float>, count: Int) {
        each(count) { store(load(row + $0) + load(other + $0), row + $0) }
    }

    /// `row` *= `factor`; any length.
    static func scale(_ row: UnsafeMutablePointer<Float>, count: Int, by factor: Float) {
        for index in 0 ..< count { row[index] *= factor }
    }

    /// The Gaussian error linear unit, x · Φ(x).
    static func gelu(_ row: UnsafeMutablePointer<Float>, count: Int) {
        each(count) {
            let x = load(row + $0)
            store(x * 0.5 * (1 + erf(x * Float(0.5).squareRoot())), row + $0)
        }
    }

    /// `row` becomes positive and sums to 1; any length: what is left over of the last eight is padded.
    static func softmax(_ row: UnsafeMutablePointer<Float>, count: Int) {
        let whole = count - count % width
        var tail = Lanes(repeating: -.infinity)
        for index in whole ..< count { tail[index - whole] = row[index] }
        var greatest = tail
        each(whole) { greatest = pointwiseMax(greatest, load(row + $0)) }
        let top = greatest.max()
        tail = exp(tail - top)
        var total = tail
        each(whole) {
            let power = exp(load(row + $0) - top)
            total += power
            store(power, row + $0)
        }
        let factor = 1 / total.sum()
        each(whole) { store(load(row + $0) * factor, row + $0) }
        for index in whole ..< count { row[index] = tail[index - whole] * factor }
    }

    /// Makes `row` of length 1; a zero row stays. Any length.
    static func normalise(_ row: UnsafeMutablePointer<Float>, count: Int) {
        var squares: Float = 0
        for index in 0 ..< count { squares += row[index] * row[index] }
        if squares > 0 { scale(row, count: count, by: 1 / squares.squareRoot()) }
    }

    /// eˣ with a relative error below 3e-7; 0 below -87, and no larger than e⁸⁷.
    ///
    /// x = k·ln 2 + r with |r| ≤ ln 2 / 2: eʳ by its Taylor series, 2ᵏ by writing the exponent's bits. Adding and taking
    /// away 1.5·2²³ rounds to a whole number without a call per lane, and leaves it in the low bits.
    @inline(__always)
    static func exp(_ value: Lanes) -> Lanes {
        let x = pointwiseMin(pointwiseMax(value, Lanes(repeating: -88)), Lanes(repeating: 87))
        let magic = Lanes(repeating: 12_582_912)
        let shifted = x * 1.442_695_04 + magic
        let k = shifted - magic
        // ln 2 in two parts, the first exact in few bits, so that k·ln 2 loses nothing.
        let r = x - k * 0.693_359_375 + k * 2.121_944_4e-4
        var series = r * (1 / 5040) + 1 / 720
        series = series * r + 1 / 120
        series = series * r + 1 / 24
        series = series * r + 1 / 6
        series = series * r + 0.5
        series = series * r + 1
        series = series * r + 1
        let bits = unsafeBitCast(shifted, to: SIMD8<Int32>.self) &+ 127
        let power = unsafeBitCast(bits &<< 23, to: Lanes.self)
        return (series * power).replacing(with: 0, where: value .< -87)
    }

    /// The error function, absolute error below 5e-7. Source: Abramowitz and Stegun, 7.1.26.
    @inline(__always)
    static func erf(_ x: Lanes) -> Lanes {
        let magnitude = x.replacing(with: -x, where: x .< 0)
        let t = 1 / (1 + magnitude * 0.327_591_1)
        var series = t * 1.061_405_429 - 1.453_152_027
        series = series * t + 1.421_413_741
        series = series * t - 0.284_496_736
        series = series * t + 0.254_829_592
        let positive = 1 - series * t * exp(-magnitude * magnitude)
        return positive.replacing(with: -positive, where: x .< 0)
    }

    @inline(__always)
    private static func each(_ count: Int, _ body: (Int) -> Void) {
        var index = 0
        while index < count {
            body(index)
            index += width
        }
    }

    @inline(__always)
    private static func load(_ place: UnsafePointer<Float>) -> Lanes {
        UnsafeRawPointer(place).loadUnaligned(as: Lanes.self)
    }

    @inline(__always)
    private static func load(_ place: UnsafeMutablePointer<Float>) -> Lanes { load(UnsafePointer(place)) }

    @inline(__always)
    private static func store(_ lanes: Lanes, _ place: UnsafeMutablePointer<Float>) {
        UnsafeMutableRawPointer(place).storeBytes(of: lanes, as: Lanes.self)
    }
}
