"""
The words of a statement, line by line (结算说明): templates over numbers that were reckoned elsewhere.
"""

from __future__ import annotations

from rx_flow.settlement.benefit.money import percent, yuan
from rx_flow.settlement.benefit.statement import Step

# One row per rule: Chinese, English. Names in braces are the step's inputs; `result` is what came out.
TEMPLATES: dict[str, tuple[str, str]] = {
    "amount": (
        "金额：{quantity} × {unit_price_fen} 元 = {result} 元",
        "Amount: {quantity} × {unit_price_fen} yuan = {result} yuan",
    ),
    "not_listed": (
        "不在当日医保目录内，全自费 {result} 元",
        "Not on the insurance list of the day: {result} yuan are the patient's own",
    ),
    "outside_scope": (
        "超出医保限定支付范围，全自费 {result} 元",
        "Given outside the paid indication: {result} yuan are the patient's own",
    ),
    "outside_scope_as_listed": (
        "超出医保限定支付范围，按当地政策先按目录结算、事后审核",
        "Given outside the paid indication; settled as listed, to be looked at afterwards, as the area's policy says",
    ),
    "no_standard": (
        "该药支付标准未公开，不计超限价",
        "This drug has no public payment standard: nothing is over the limit",
    ),
    "over_limit": (
        "单价 {unit_price_fen} 元，支付标准 {standard_fen} 元，数量 {quantity}：超限价自费 {result} 元",
        "Price {unit_price_fen} yuan, payment standard {standard_fen} yuan, quantity {quantity}: {result} yuan over it",
    ),
    "advance": (
        "先行自付：{base_fen} 元 × {ratio} = {result} 元",
        "Advance self-pay: {base_fen} yuan × {ratio} = {result} yuan",
    ),
    "in_scope": (
        "符合政策范围：{total_fen} − 超限价 {over_limit_fen} − 先行自付 {advance_fen} = {result} 元",
        "In the policy's scope: {total_fen} − over the limit {over_limit_fen} − advance {advance_fen} = {result} yuan",
    ),
    "deductible": (
        "年度起付线 {yearly_fen} 元，本年已承担 {used_fen} 元；本次符合范围 {in_scope_fen} 元，其中起付线 {result} 元",
        "Deductible of the year {yearly_fen} yuan, borne {used_fen}; of {in_scope_fen} in scope now {result} yuan",
    ),
    "ratio": (
        "起付线以上 {base_fen} 元 × 基金支付比例 {ratio} = {result} 元",
        "Beyond the deductible {base_fen} yuan × the fund's ratio {ratio} = {result} yuan",
    ),
    "ceiling": (
        "年度封顶线 {yearly_fen} 元，本年基金已支付 {used_fen} 元，尚余 {left_fen} 元：基金支付 {result} 元",
        "Ceiling of the year {yearly_fen} yuan, paid so far {used_fen}, left {left_fen}: the fund pays {result} yuan",
    ),
    "no_ceiling": (
        "不设封顶线：基金支付 {result} 元",
        "No ceiling: the fund pays {result} yuan",
    ),
    "allotment": (
        "基金支付 {fund_fen} 元按各行符合范围金额分摊，余分按小数部分从大到小补足：本行 {result} 元",
        "The fund's {fund_fen} yuan shared out by scope, odd fen to the largest fractions: {result} yuan here",
    ),
    "patient": (
        "个人负担：{total_fen} 元 − 基金 {fund_fen} 元 = {result} 元",
        "The patient's part: {total_fen} yuan − fund {fund_fen} yuan = {result} yuan",
    ),
    "reversal": (
        "冲正原结算：退回基金 {fund_fen} 元、起付线 {deductible_fen} 元、个人 {patient_fen} 元，合计 {result} 元",
        "Taken back: fund {fund_fen}, deductible {deductible_fen}, patient {patient_fen}, in all {result} yuan",
    ),
}


def step(rule: str, result_fen: int, *, line: int | None = None, **inputs: int) -> Step:
    """
    Return one step with its words in both languages; `inputs` named `..._fen` read as yuan, `ratio` as a percentage.
    """
    shown = {name: _shown(name, value) for name, value in inputs.items()} | {"result": yuan(result_fen)}
    chinese, english = (template.format(**shown) for template in TEMPLATES[rule])
    return Step(rule, line, tuple(inputs.items()), result_fen, chinese, english)


def _shown(name: str, value: int) -> str:
    if name == "ratio":
        return percent(value)
    return yuan(value) if name.endswith("_fen") else str(value)
