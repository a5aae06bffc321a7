-- Top ten products of each currency by revenue: lines of sold orders, before discount and tax
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
SELECT currency, place, sku, product, category, pieces, revenue
FROM (
  SELECT
    *,
    row_number() OVER (PARTITION BY currency ORDER BY revenue DESC, sku) AS place
  FROM (
    SELECT
      currency,
      sku,
      max(product) AS product,
      max(category) AS category,
      sum(quantity) AS pieces,
      CAST(sum(amount) AS decimal(38, 2)) AS revenue
    FROM (
      SELECT *, CAST(at_timezone(with_timezone(paid_at, 'UTC'), ?) AS date) AS paid_day
      FROM order_lines
    )
    WHERE sold
      AND paid_day BETWEEN CAST(? AS date) AND CAST(? AS date)
      AND coalesce(region, '') LIKE ?
    GROUP BY currency, sku
  )
)
WHERE place <= 10
ORDER BY currency, place
