/* SPDX-License-Identifier: MIT */
/* The payloads that compression is measured on: messages of four kinds, each of them another one. */
#ifndef FASTWS_BENCH_PAYLOADS_H
#define FASTWS_BENCH_PAYLOADS_H

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

/* One message again and again would lie in the window and compress five times faster than any stream of messages does.
 * So many that the first has left a window of 32 KiB when its turn comes again. */
inline std::size_t payload_count(std::size_t len) {
    const std::size_t fill = 128 * 1024 / (len > 0 ? len : 1);
    return fill > 64 ? fill : 64;
}

class PayloadMaker {
  public:
    std::uint32_t random() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 17;
        state_ ^= state_ << 5;
        return state_;
    }

    /* One update of an order book, as exchanges send them. */
    std::string json(std::size_t len) {
        static const char *const symbols[] = {"BTC-USD", "ETH-USD", "SOL-USD", "ADA-USD", "LTC-USD", "DOGE-USD",
                                              "XRP-USD", "DOT-USD", "BTC-EUR", "ETH-EUR", "ETH-BTC", "LINK-USD"};
        const unsigned symbol = random() % 12;
        sequence_ += 1 + random() % 5;
        std::string out = format("{\"type\":\"l2update\",\"product_id\":\"%s\",\"sequence\":%u,\"time\":"
                                 "\"2024-05-17T13:%02u:%02u.%06uZ\",\"changes\":[",
                                 symbols[symbol], sequence_, random() % 60, random() % 60, random() % 1000000);
        const unsigned price = 1000 + symbol * 977 * 100;
        do {
            const unsigned cents = price + random() % 2000;
            if (out.back() != '[') out += ',';
            out += format("[\"%s\",\"%u.%02u\",\"%u.%08u\"]", random() % 2 ? "buy" : "sell", cents / 100, cents % 100,
                          random() % 3, random() % 100000000);
        } while (out.size() + 42 < len);
        return out + "]}";
    }

    /* What people write to one another, in an envelope. */
    std::string chat(std::size_t len) {
        static const char *const words[] = {
            "the",  "train", "is",    "late",  "again", "so",    "I",     "will",  "be",    "there", "around",
            "nine", "can",   "you",   "bring", "those", "books", "we",    "spoke", "about", "last",  "week",
            "and",  "some",  "bread", "if",    "shop",  "still", "open",  "thanks", "see",  "later", "maybe",
            "or",   "not",   "what",  "did",   "she",   "say",   "about", "it",    "all",   "good",  "night"};
        std::string out = format("{\"room\":%u,\"from\":\"user%04u\",\"id\":\"%08x%08x\",\"text\":\"", random() % 40,
                                 random() % 500, random(), random());
        do {
            out += words[random() % (sizeof words / sizeof words[0])];
            out += random() % 9 == 0 ? ". " : " ";
        } while (out.size() + 6 < len);
        return out + "\"}";
    }

    /* Rows of a table, as a server that renders sends them. */
    std::string html(std::size_t len) {
        std::string out = format("<div id=\"panel-%u\" class=\"panel panel-default\">", random() % 1000);
        do {
            out += format("<tr class=\"%s\"><td><a href=\"/item/%u\">Item %u</a></td><td>%u.%02u</td></tr>",
                          random() % 2 ? "even" : "odd", random() % 100000, random() % 1000, random() % 500,
                          random() % 100);
        } while (out.size() + 80 < len);
        return out + "</div>";
    }

    std::string noise(std::size_t len) {
        std::string out(len, 0);
        for (char &byte : out) byte = static_cast<char>(random() >> 11);
        return out;
    }

  private:
    template <typename... Args> static std::string format(const char *text, Args... args) {
        char line[256];
        std::snprintf(line, sizeof line, text, args...);
        return line;
    }

    std::uint32_t state_ = 88172645;
    unsigned sequence_ = 1000000000;
};

struct Corpus {
    const char *name;
    std::string (PayloadMaker::*make)(std::size_t len);
};

inline constexpr Corpus kCorpora[] = {{"json", &PayloadMaker::json},
                                      {"chat", &PayloadMaker::chat},
                                      {"html", &PayloadMaker::html},
                                      {"random", &PayloadMaker::noise}};

/* Messages of about len bytes each. */
inline std::vector<std::string> make_payloads(const Corpus &corpus, std::size_t len) {
    PayloadMaker maker;
    std::vector<std::string> payloads;
    for (std::size_t i = 0; i < payload_count(len); i++) payloads.push_back((maker.*corpus.make)(len));
    return payloads;
}

#endif
