-- Products whose revenue changed most against the days before: ten of each currency, sold orders
-- params: days=28, zone=UTC, day_to=2999-12-31, region=%
--
-- The last `days` days end with the last day up to day_to that sold anything; the days before are
-- as many.
SELECT currency, place, sku, product, pieces_before, pieces, revenue_before, revenue, change
FROM (
  SELECT
    *,
    row_number() OVER (PARTITION BY currency ORDER BY abs(change) DESC, sku) AS place
  FROM (
    SELECT
      currency,
      sku,
      max(product) AS product,
      sum(CASE WHEN is_before THEN quantity ELSE 0 END) AS pieces_before,
      sum(CASE WHEN is_before THEN 0 ELSE quantity END) AS pieces,
      CAST(sum(CASE WHEN is_before THEN amount ELSE 0 END) AS decimal(38, 2)) AS revenue_before,
      CAST(sum(CASE WHEN is_before THEN 0 ELSE amount END) AS decimal(38, 2)) AS revenue,
      CAST(sum(CASE WHEN is_before THEN -amount ELSE amount END) AS decimal(38, 2)) AS change
    FROM (
      SELECT
        *,
        days_ago >= days AS is_before
      FROM (
        SELECT
          currency,
          region,
          sku,
          product,
          quantity,
          amount,
          CAST(? AS bigint) AS days,
          date_diff('day', paid_day, max(paid_day) OVER ()) AS days_ago
        FROM (
          SELECT *, CAST(at_timezone(with_timezone(paid_at, 'UTC'), ?) AS date) AS paid_day
          FROM order_lines
        )
        WHERE sold AND paid_day <= CAST(? AS date)
      )
      WHERE days_ago < 2 * days AND coalesce(region, '') LIKE ?
    )
    GROUP BY currency, sku
  )
)
WHERE place <= 10
ORDER BY currency, place
