"""`smartstore stock` and `smartstore price`: what the store has and asks, told by hand or a script.

A store's own systems tell the same on `store.stock.v1` and `store.price.v1`.
"""

import asyncio
import time
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from infra.commands.runtime import layout_of, settings_of
from infra.errors import UserError
from streams.contracts.store import Price, Stock, store_key
from streams.settings import KafkaSettings

stock = typer.Typer(help="Units in stock, on store.stock.v1.", no_args_is_help=True)
price = typer.Typer(help="Prices, on store.price.v1.", no_args_is_help=True)

_SOURCE = "smartstore/shelf"
_T = TypeVar("_T", Stock, Price)

Kafka = Annotated[str | None, typer.Option(help="The broker, host:port; else SMARTSTORE_KAFKA.")]
Layout = Annotated[Path | None, typer.Option(help="The store's layout; else SMARTSTORE_LAYOUT.")]
Sku = Annotated[str, typer.Argument(help="The article, as receipts and planogram name it.")]


@stock.command("set")
def set_stock(
    sku: Sku,
    units: Annotated[str, typer.Argument(help="How many there are; 0 is sold out; - if uncounted")],
    layout: Layout = None,
    kafka: Kafka = None,
) -> None:
    """Tells how many units of an article the store has."""
    store = layout_of(layout)
    told = {
        "store_id": store.store_id,
        "sku": sku,
        "units": None if units == "-" else _number(units, "units"),
        "at_ms": _now_ms(),
    }
    event = _made(told, Stock)
    asyncio.run(_tell(_bootstrap(kafka), "stock", event))
    Console().print(f"{sku} in {store.store_id}: {units} in stock.", markup=False)


@price.command("set")
def set_price(
    sku: Sku,
    amount: Annotated[str, typer.Argument(help="What a unit costs, such as 3.49.")],
    unit_text: Annotated[str, typer.Option(help='Beside the price: "per kg", "500 g".')] = "",
    currency: Annotated[str | None, typer.Option(help="ISO 4217; else the layout's.")] = None,
    layout: Layout = None,
    kafka: Kafka = None,
) -> None:
    """Tells what an article costs everybody in the store from now on."""
    store = layout_of(layout)
    told = {
        "store_id": store.store_id,
        "sku": sku,
        "price": _number(amount, "the price"),
        "currency": currency or store.currency,
        "valid_from_ms": _now_ms(),
        "unit_text": unit_text,
    }
    event = _made(told, Price)
    asyncio.run(_tell(_bootstrap(kafka), "price", event))
    Console().print(f"{sku} in {store.store_id}: {amount} {told['currency']}.", markup=False)


@stock.command("unset")
def unset_stock(sku: Sku, layout: Layout = None, kafka: Kafka = None) -> None:
    """Forgets an article's stock: it bars no creative any more."""
    asyncio.run(_delete(_bootstrap(kafka), "stock", store_key(layout_of(layout).store_id, sku)))


@price.command("unset")
def unset_price(sku: Sku, layout: Layout = None, kafka: Kafka = None) -> None:
    """Forgets an article's price: creatives that show it are barred."""
    asyncio.run(_delete(_bootstrap(kafka), "price", store_key(layout_of(layout).store_id, sku)))


@stock.command("list")
def list_stock(kafka: Kafka = None) -> None:
    """What is told of stock."""
    from infra.latest import latest
    from streams.contracts.topics import STOCK

    table = Table("store", "article", "units")
    for each in asyncio.run(latest(_bootstrap(kafka), STOCK)).values():
        units = "not counted" if each.units is None else str(each.units)
        table.add_row(each.store_id, each.sku, units)
    Console().print(table)


@price.command("list")
def list_prices(kafka: Kafka = None) -> None:
    """What is told of prices."""
    from infra.latest import latest
    from streams.contracts.topics import PRICE

    table = Table("store", "article", "price", "unit")
    for each in asyncio.run(latest(_bootstrap(kafka), PRICE)).values():
        table.add_row(each.store_id, each.sku, f"{each.price} {each.currency}", each.unit_text)
    Console().print(table)


async def _tell(bootstrap: str, what: str, event: Stock | Price) -> None:
    from infra.latest import told_to
    from streams.contracts import topics
    from streams.contracts.codec import record

    topic = topics.STOCK if what == "stock" else topics.PRICE
    async with told_to(bootstrap) as producer:
        await producer.send_and_wait(**record(topic, event, _SOURCE))


async def _delete(bootstrap: str, what: str, key: str) -> None:
    from infra.latest import told_to
    from streams.contracts import topics

    topic = topics.STOCK if what == "stock" else topics.PRICE
    async with told_to(bootstrap) as producer:
        await producer.send_and_wait(topic.name, None, key=key.encode())
    Console().print(f"{key}: {what} forgotten.", markup=False)


def _made(told: Mapping[str, object], kind: type[_T]) -> _T:
    try:
        return msgspec.convert(told, kind)
    except msgspec.ValidationError as error:
        raise UserError(f"that cannot be told ({error}); give other values") from None


def _number(text: str, what: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise UserError(f"{what} {text!r} is no number; write it as 3.49") from None


def _bootstrap(kafka: str | None) -> str:
    return settings_of(KafkaSettings, kafka=kafka).bootstrap


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
