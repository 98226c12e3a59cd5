// SPDX-License-Identifier: Apache-2.0
#include "formats/deflate.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace vggt {
namespace {

// Four codes of at most 14 bits and the 7 bits of a byte begun fit into 64 bits.
constexpr int kMostBits = 14;
constexpr int kLiterals = 256, kEndOfBlock = 256, kSymbols = 286;
constexpr int kDistances = 1;            // only the distance 1 occurs: a run
constexpr int kFewestRepeats = 8;        // shorter runs stay literals
constexpr int kMostRepeats = 258;        // of a length symbol
constexpr size_t kBlock = 1U << 20;      // bytes that share a code
constexpr size_t kStoredBlock = 0xFFFF;  // the most bytes of a stored block
constexpr size_t kHead = 320;            // about the most bytes before a block's symbols
constexpr size_t kSlack = 16;            // bytes that may be written past the end of the output

// A code in the order in which its bits are written, the first one lowest.
struct Code {
  uint32_t bits = 0;
  uint32_t length = 0;
};

// Length symbols: kRepeats[symbol - 257] is the smallest length, followed by extra bits.
constexpr int kLengthSymbols = 29;
constexpr std::array<int, kLengthSymbols> kRepeats = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                                      15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                                      67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr std::array<int, kLengthSymbols> kExtraBits = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                                        2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};

int LengthIndex(int repeats) {
  return static_cast<int>(std::upper_bound(kRepeats.begin(), kRepeats.end(), repeats) -
                          kRepeats.begin()) -
         1;
}

// Bits, the first one lowest. `out` has room for all that is put and kSlack bytes more.
class BitWriter {
 public:
  explicit BitWriter(uint8_t* out) : out_(out) {}

  void Put(uint64_t bits, uint32_t length) {  // length ≤ 56
    bits_ |= bits << count_;
    count_ += length;
    std::memcpy(out_, &bits_, sizeof(bits_));
    out_ += count_ >> 3;
    bits_ >>= count_ & ~7U;
    count_ &= 7;
  }
  void Put(Code code) { Put(code.bits, code.length); }
  // The next whole byte.
  uint8_t* Align() {
    if (count_ > 0) Put(0, 8 - count_);
    return out_;
  }
  void Skip(size_t bytes) { out_ += bytes; }  // after Align, once they are written

 private:
  uint8_t* out_;
  uint64_t bits_ = 0;
  uint32_t count_ = 0;
};

// Lengths of Huffman's code for these counts, at most `most` each: counts are halved until it is
// so.
template <size_t N>
std::array<uint8_t, N> CodeLengths(std::array<uint32_t, N> counts, int most) {
  std::array<uint8_t, N> lengths{};
  while (true) {
    std::vector<int> leaves;
    for (size_t i = 0; i < N; ++i) {
      if (counts[i] > 0) leaves.push_back(static_cast<int>(i));
    }
    if (leaves.size() == 1) lengths[leaves[0]] = 1;
    if (leaves.size() < 2) return lengths;
    std::stable_sort(leaves.begin(), leaves.end(),
                     [&](int a, int b) { return counts[a] < counts[b]; });
    // Two queues, leaves and inner nodes, both ascending; nodes are numbered in the order of their
    // making, so that parents stand after children.
    const size_t n = leaves.size();
    std::vector<uint64_t> weight(2 * n - 1);
    std::vector<size_t> parent(2 * n - 1);
    for (size_t i = 0; i < n; ++i) weight[i] = counts[leaves[i]];
    size_t leaf = 0, inner = n;
    for (size_t node = n; node < 2 * n - 1; ++node) {
      for (int child = 0; child < 2; ++child) {
        const bool take_leaf = leaf < n && (inner == node || weight[leaf] <= weight[inner]);
        const size_t taken = take_leaf ? leaf++ : inner++;
        weight[node] += weight[taken];
        parent[taken] = node;
      }
    }
    std::vector<int> depth(2 * n - 1);
    for (size_t node = 2 * n - 2; node-- > 0;) depth[node] = depth[parent[node]] + 1;
    if (*std::max_element(depth.begin(), depth.begin() + static_cast<int64_t>(n)) <= most) {
      for (size_t i = 0; i < n; ++i) lengths[leaves[i]] = static_cast<uint8_t>(depth[i]);
      return lengths;
    }
    for (uint32_t& count : counts) count = (count + 1) / 2;
  }
}

// The canonical code of these lengths.
template <size_t N>
std::array<Code, N> Codes(const std::array<uint8_t, N>& lengths) {
  std::array<Code, N> codes{};
  uint32_t next = 0;
  for (uint32_t length = 1; length <= 15; ++length, next <<= 1) {
    for (size_t i = 0; i < N; ++i) {
      if (lengths[i] != length) continue;
      uint32_t reversed = 0;
      for (uint32_t b = 0; b < length; ++b) reversed |= (next >> b & 1) << (length - 1 - b);
      codes[i] = {reversed, length};
      ++next;
    }
  }
  return codes;
}

using Counts = std::array<uint32_t, kSymbols>;

uint64_t LoadEight(const uint8_t* p) {
  uint64_t eight;
  std::memcpy(&eight, p, sizeof(eight));
  return eight;
}

// How often p[0] is repeated from p[1] on, at most kMostRepeats times and before `end`; 0 if fewer
// than kFewestRepeats times.
int Repeats(const uint8_t* p, const uint8_t* end) {
  if (end - p <= kFewestRepeats || LoadEight(p) != LoadEight(p + 1)) return 0;
  const auto most = static_cast<int>(std::min<std::ptrdiff_t>(kMostRepeats, end - p - 1));
  int repeats = kFewestRepeats;
  while (repeats + 8 <= most && LoadEight(p + repeats + 1) == LoadEight(p)) repeats += 8;
  while (repeats < most && p[repeats + 1] == p[0]) ++repeats;
  return repeats;
}

// Calls literal(byte) and run(repeats of the byte before) for all of the block.
template <typename Literal, typename Run>
void Walk(Bytes block, const Literal& literal, const Run& run) {
  const uint8_t* p = block.data();
  const uint8_t* const end = p + block.size();
  while (p < end) {
    literal(*p);
    for (int repeats = Repeats(p, end); repeats > 0; repeats = Repeats(p, end)) {
      run(repeats);
      p += repeats;
    }
    ++p;
  }
}

// Four tables, so that equal neighbours do not wait for one another.
Counts CountBytes(Bytes block) {
  uint32_t parts[4][kLiterals] = {};  // under sanitizers each index of std::array is a call
  size_t i = 0;
  for (; i + 8 <= block.size(); i += 8) {
    const uint64_t eight = LoadEight(&block[i]);
    for (int j = 0; j < 8; ++j) ++parts[j % 4][eight >> 8 * j & 0xFF];
  }
  for (; i < block.size(); ++i) ++parts[0][block[i]];
  Counts counts{};
  for (int s = 0; s < kLiterals; ++s)
    counts[s] = parts[0][s] + parts[1][s] + parts[2][s] + parts[3][s];
  return counts;
}

// Runs are worth looking for where one value is most of the block: a code takes at least one bit.
bool MostlyOne(const Counts& counts, size_t size) {
  return *std::max_element(counts.begin(), counts.end()) > size / 4 * 3;
}

// The head of a block with a code of its own: the lengths of all codes, themselves in a code.
template <size_t N>
void PutCodeLengths(const std::array<uint8_t, N>& lengths, BitWriter& bits) {
  constexpr std::array<int, 19> kOrder = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                          11, 4,  12, 3, 13, 2, 14, 1, 15};
  std::array<uint8_t, N + kDistances> all{};
  std::copy(lengths.begin(), lengths.end(), all.begin());
  all[N] = 1;  // the distance 1
  std::array<uint32_t, 19> counts{};
  for (const uint8_t length : all) ++counts[length];
  const auto code_lengths = CodeLengths(counts, 7);
  const auto codes = Codes(code_lengths);
  bits.Put(N - 257, 5);
  bits.Put(kDistances - 1, 5);
  bits.Put(kOrder.size() - 4, 4);
  for (const int symbol : kOrder) bits.Put(code_lengths[symbol], 3);
  for (const uint8_t length : all) bits.Put(codes[length]);
}

void PutLiterals(Bytes block, const std::array<Code, kSymbols>& codes, BitWriter& writer) {
  BitWriter bits = writer;  // in registers: nothing that is written can be a part of it
  size_t i = 0;
  for (; i + 4 <= block.size(); i += 4) {
    const Code a = codes[block[i]], b = codes[block[i + 1]], c = codes[block[i + 2]],
               d = codes[block[i + 3]];
    const uint64_t ab = a.bits | b.bits << a.length;
    const uint64_t cd = c.bits | d.bits << c.length;
    bits.Put(ab | cd << (a.length + b.length), a.length + b.length + c.length + d.length);
  }
  for (; i < block.size(); ++i) bits.Put(codes[block[i]]);
  writer = bits;
}

void PutRun(int repeats, const std::array<Code, kSymbols>& codes, BitWriter& bits) {
  const int index = LengthIndex(repeats);
  bits.Put(codes[257 + index]);
  bits.Put(repeats - kRepeats[index], kExtraBits[index]);
  bits.Put(0, 1);  // the distance 1
}

// In how many bits the block's symbols are written.
uint64_t BitsFor(const Counts& counts, const std::array<uint8_t, kSymbols>& lengths) {
  uint64_t sum = 0;
  for (int s = 0; s < kSymbols; ++s) {
    const int extra = s > kEndOfBlock ? kExtraBits[s - 257] + 1 : 0;
    sum += uint64_t{counts[s]} * (lengths[s] + extra);
  }
  return sum;
}

void PutStored(Bytes block, bool last, BitWriter& bits) {
  do {
    const Bytes part = block.first(std::min(block.size(), kStoredBlock));
    block = block.subspan(part.size());
    bits.Put(last && block.empty() ? 1 : 0, 3);
    uint8_t* to = bits.Align();
    const auto size = static_cast<uint16_t>(part.size()), inverse = static_cast<uint16_t>(~size);
    std::memcpy(to, &size, 2);
    std::memcpy(to + 2, &inverse, 2);
    if (!part.empty()) std::memcpy(to + 4, part.data(), part.size());
    bits.Skip(4 + part.size());
  } while (!block.empty());
}

void PutBlock(Bytes block, bool last, BitWriter& bits) {
  Counts counts = CountBytes(block);
  const bool runs = MostlyOne(counts, block.size());
  if (runs) {
    counts = {};
    Walk(
        block, [&](uint8_t byte) { ++counts[byte]; },
        [&](int repeats) { ++counts[257 + LengthIndex(repeats)]; });
  }
  counts[kEndOfBlock] = 1;
  const auto lengths = CodeLengths(counts, kMostBits);
  if (BitsFor(counts, lengths) / 8 + kHead / 4 >= block.size()) return PutStored(block, last, bits);
  const auto codes = Codes(lengths);
  bits.Put(last ? 0b101 : 0b100, 3);  // a block with its own code
  PutCodeLengths(lengths, bits);
  if (runs) {
    Walk(
        block, [&](uint8_t byte) { bits.Put(codes[byte]); },
        [&](int repeats) { PutRun(repeats, codes, bits); });
  } else {
    PutLiterals(block, codes, bits);
  }
  bits.Put(codes[kEndOfBlock]);
}

}  // namespace

size_t DeflateBound(size_t size) {
  // A block grows by no more than its head, whose 287 lengths take 7 bits each, or by the heads of
  // stored blocks.
  const size_t blocks = size / kBlock + 1;
  return size + blocks * kHead + 16 + kSlack;
}

size_t DeflatePiece(Bytes piece, bool last, uint8_t* out) {
  BitWriter bits(out);
  do {
    const Bytes block = piece.first(std::min(piece.size(), kBlock));
    piece = piece.subspan(block.size());
    PutBlock(block, last && piece.empty(), bits);
  } while (!piece.empty());
  if (!last) PutStored({}, false, bits);
  return static_cast<size_t>(bits.Align() - out);
}

}  // namespace vggt
